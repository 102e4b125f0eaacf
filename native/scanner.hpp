// Line protocol to columns in one pass. No Python here: the caller may hold no lock.
//
// Bodies that were accepted one by one may be scanned one after the other into the same columns; what
// each of them says is what it says alone.
//
// Two ways through a line. The *exact* way splits, scans and refuses byte by byte as the
// reference does (http-api.md 6.3, 6.4) and is the only one that reports an error or meets a new
// measurement, field or type. The *fast* way takes a line whose fields and types have been seen in
// this request, guessing series and fields from what followed last time; at the first doubt it
// undoes the row and the exact way starts over. So the fast way only has to agree, never to decide.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "columns.hpp"

namespace fluxkeep {

struct Limits {
  std::size_t line_bytes_max;
  std::size_t errors_max;         // further bad lines are counted only
  std::size_t excerpt_bytes_max;  // of a bad line, in its text
};

struct LineError {
  std::uint64_t line;  // from 1
  std::string excerpt;
  bool clipped;
  std::string reason;
};

class Scanner {
 public:
  // `bytes` is what the bodies have together. `known` must outlive what the scanner has found.
  Scanner(std::size_t bytes, std::int64_t unit_ns, Limits limits, SeriesGeneration& known);

  // Add what a body says behind what former ones said. It must be followed by a NUL byte, as a Python
  // bytes object is, and outlive the scanner. Lines in errors are counted from its beginning.
  void scan(std::string_view body, std::int64_t default_time_ns);

  // Good points so far.
  std::uint32_t points() const { return points_; }

  std::vector<std::unique_ptr<Part>> parts;
  std::vector<std::string> measurements;
  std::vector<LineError> errors;
  std::uint64_t error_count = 0;

 private:
  struct RawSeries {
    const char* raw;
    std::uint32_t size;
    std::uint32_t measurement;
    std::uint32_t part;
    std::uint32_t ordinal;
    std::uint32_t next = none;
    bool plain;
    KnownSeries* known;
  };
  struct Tag {
    std::string_view raw_key;
    std::string_view raw_value;
    std::string key;
    std::string value;
  };
  struct Value {
    std::string_view raw_key;
    FieldType type;
    Scalar scalar;
    std::string_view quoted;  // of a string: what stands between the quotes
  };

  struct Chosen {
    std::uint32_t field;
    const Value* value;
  };

  bool take_fast(const char*& p);
  bool take_fields(Part& part, const char*& p);
  bool take_time(const char*& p, std::int64_t& time_ns) const;
  const char* take_number(const char* p, FieldType& type, Scalar& value) const;
  const char* take_text(const char* p, Column& column, std::uint32_t row);

  const char* split(const char* p) const;
  void take_exact(const char* p, const char* end);
  bool parse(const char* p, const char* end);
  const char* scan_key(const char* p, const char* end);
  const char* scan_measurement(const char* p, const char* end, bool& tags);
  const char* scan_tag(const char* p, const char* end, bool& more);
  bool check_tags();
  const char* scan_fields(const char* p, const char* end);
  bool scan_time(const char* p, const char* end);
  void commit();
  bool refuse(std::string reason);

  std::uint32_t find_raw(std::string_view raw, std::uint64_t hash) const;
  std::uint32_t add_raw(std::string_view raw, KnownSeries& known, std::uint32_t measurement);
  void place(RawSeries& series, std::uint32_t part_id);
  void end_row(Part& part, std::uint32_t entry, std::int64_t time_ns);
  KnownSeries* learn_series(std::uint64_t hash);
  std::uint32_t measurement_id(const std::string& name);
  std::uint32_t spelling_of(Part& part, std::string_view raw_key);
  std::size_t choose_columns(Part& part);
  std::uint32_t open_part(std::uint32_t measurement);

  const std::int64_t unit_ns_;
  const Limits limits_;
  SeriesGeneration& known_;

  // The body in hand.
  const char* end_ = nullptr;
  std::int64_t default_time_ns_ = 0;
  const char* counted_to_ = nullptr;  // lines before this are in lines_before_

  std::uint32_t points_ = 0;
  std::uint64_t stamp_ = 0;
  std::uint64_t lines_before_ = 0;
  std::uint32_t last_series_ = none;
  std::vector<std::uint32_t> touched_;  // columns that the fast way has written to in this line

  std::vector<RawSeries> raw_series_;
  std::vector<std::uint32_t> raw_table_;  // open addressing, a power of two
  std::vector<std::uint64_t> raw_hashes_;
  std::unordered_map<std::string, std::uint32_t, SeededHash> measurement_ids_;
  std::vector<std::uint32_t> current_part_;  // by measurement

  // The line in hand.
  std::string reason_;
  std::string_view key_;
  std::string_view name_;
  std::vector<Tag> tags_;
  std::size_t tag_count_ = 0;
  std::vector<Value> values_;
  std::vector<Chosen> chosen_;
  std::int64_t time_ns_ = 0;
  std::string scratch_;
};

}  // namespace fluxkeep
