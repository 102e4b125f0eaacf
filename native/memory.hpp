// Series that earlier requests have brought, so that their tags are parsed once, not once a request.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text.hpp"

namespace fluxkeep {

struct KnownSeries {
  std::string raw;  // the key as it was spelled
  std::uint64_t hash;
  std::string measurement;
  std::string tags;  // sorted; keys and values in turn, each behind its size as uint32
  KnownSeries* canonical;  // the first spelling of the same series
  bool plain;              // without a double backslash and of common size: the fast way finds its end
  std::uint32_t number = 0;  // of a canonical one: its place among those of its measurement
  void* object = nullptr;  // of a canonical one: what the module has made of it; the interpreter lock guards it
  // What followed it in a request before: a guess.
  std::atomic<KnownSeries*> next{nullptr};

  KnownSeries(std::string_view raw, std::uint64_t hash, std::string measurement, std::string tags, bool plain)
      : raw(raw),
        hash(hash),
        measurement(std::move(measurement)),
        tags(std::move(tags)),
        canonical(nullptr),
        plain(plain) {}
};

// Grows only; a scanner may keep what it was given for as long as it holds the generation.
class SeriesGeneration {
 public:
  SeriesGeneration();

  KnownSeries* find(std::string_view raw, std::uint64_t hash);
  KnownSeries* add(std::string_view raw, std::uint64_t hash, std::string measurement, std::string tags, bool plain);

  std::size_t count();
  // Roughly what the entries and the objects made of them take.
  std::size_t nbytes();
  std::deque<KnownSeries>& entries() { return entries_; }
  // No other generation of this process has it.
  std::uint64_t id() const { return id_; }
  // How many spellings the last request had: a guess for the next.
  std::atomic<std::uint32_t> expected{0};

 private:
  KnownSeries** slot(std::string_view raw, std::uint64_t hash);

  const std::uint64_t id_;
  std::mutex mutex_;
  std::deque<KnownSeries> entries_;
  std::vector<KnownSeries*> table_;  // open addressing, a power of two
  std::unordered_map<std::string, KnownSeries*, SeededHash> by_name_;
  std::unordered_map<std::string, std::uint32_t, SeededHash> numbers_;  // by measurement: the next one
  std::size_t nbytes_ = 0;
};

}  // namespace fluxkeep
