// Growing columns of one measurement. Memory is malloc'd so that Python can take it over.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "memory.hpp"
#include "numbers.hpp"
#include "text.hpp"

namespace fluxkeep {

// An owned array that can be resized in place and given away.
template <typename T>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  Array(Array&& other) noexcept : data_(other.data_) { other.data_ = nullptr; }
  ~Array() { std::free(data_); }

  void resize(std::size_t count) {
    void* moved = std::realloc(data_, (count ? count : 1) * sizeof(T));
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(moved);
  }
  T* get() { return data_; }
  const T* get() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  bool empty() const { return data_ == nullptr; }
  T* release() {
    T* given = data_;
    data_ = nullptr;
    return given;
  }

 private:
  T* data_ = nullptr;
};

// One field of one type. Rows up to `count` are filled; a row is skipped by writing a later one.
class Column {
 public:
  Column(std::uint32_t name, FieldType type, std::size_t capacity) : name(name), type(type) { grow(capacity); }

  void grow(std::size_t capacity) {
    capacity_ = capacity;
    if (type == FieldType::Boolean) {
      truths.resize(capacity);
    } else if (type == FieldType::String) {
      offsets.resize(capacity + 1);
      if (count == 0) offsets[0] = 0;
    } else {
      words.resize(capacity);
    }
    if (!valid.empty()) valid.resize(capacity);
  }

  // Make the rows before `row` exist; those not written so far are absent.
  void reach(std::uint32_t row) {
    if (count == row) return;
    if (valid.empty()) {
      valid.resize(capacity_);
      std::memset(valid.get(), 1, count);
    }
    const std::size_t gap = row - count;
    std::memset(valid.get() + count, 0, gap);
    if (type == FieldType::Boolean) {
      std::memset(truths.get() + count, 0, gap);
    } else if (type == FieldType::String) {
      for (std::size_t i = count; i < row; ++i) offsets[i + 1] = offsets[i];
    } else {
      std::memset(words.get() + count, 0, gap * sizeof(Scalar));
    }
    count = row;
  }

  void put(std::uint32_t row, Scalar value) {
    reach(row);
    if (type == FieldType::Boolean) {
      truths[row] = value.truth ? 1 : 0;
    } else {
      words[row] = value;
    }
    settle(row);
  }

  // The text of the row has been appended to `text`.
  void put_text(std::uint32_t row) {
    offsets[row + 1] = static_cast<std::int64_t>(text.size());
    settle(row);
  }

  // Forget what was written to `row`, the last one.
  void forget(std::uint32_t row) {
    if (count != row + 1) return;
    count = row;
    if (type == FieldType::String) text.resize(static_cast<std::size_t>(offsets[row]));
  }

  std::uint32_t name;
  FieldType type;
  std::uint32_t count = 0;
  Array<Scalar> words;
  Array<std::uint8_t> truths;
  Array<std::int64_t> offsets;
  std::string text;
  Array<std::uint8_t> valid;  // empty while no row is absent

 private:
  void settle(std::uint32_t row) {
    if (!valid.empty()) valid[row] = 1;
    count = row + 1;
  }

  std::size_t capacity_ = 0;
};

constexpr std::uint32_t none = 0xFFFFFFFF;

// A field's name as it was spelled, with the `=` after it.
struct Spelling {
  std::string raw;
  std::uint32_t field;
  std::uint32_t next = none;  // what followed it when last seen
  bool plain;                 // neither quotes nor backslashes: the fast path may take it
};

struct Field {
  std::string name;
  std::array<std::uint32_t, 5> columns{none, none, none, none, none};
  std::uint64_t stamp = 0;  // the line that last had it
  std::uint32_t slot = 0;   // its place in that line
};

// Which ordinal a series has in a part, by its number in the measurement. Numbers are handed out in
// turn, so they are their own hash.
class Ordinals {
 public:
  // The ordinal of a number; `next` becomes it if it has none.
  std::uint32_t place(std::uint32_t number, std::uint32_t next) {
    if ((count_ + 1) * 2 > entries_.size()) grow();
    Entry& entry = entries_[slot(number)];
    if (entry.ordinal == none) {
      entry = {number, next};
      ++count_;
    }
    return entry.ordinal;
  }

 private:
  struct Entry {
    std::uint32_t number = 0;
    std::uint32_t ordinal = none;
  };

  std::size_t slot(std::uint32_t number) const {
    const std::size_t mask = entries_.size() - 1;
    std::size_t at = number & mask;
    while (entries_[at].ordinal != none && entries_[at].number != number) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<Entry> former(entries_.empty() ? 16 : entries_.size() * 2);
    former.swap(entries_);
    for (const Entry& entry : former) {
      if (entry.ordinal != none) entries_[slot(entry.number)] = entry;
    }
  }

  std::vector<Entry> entries_;
  std::size_t count_ = 0;
};

// A run of points of one measurement.
struct Part {
  std::uint32_t measurement;
  std::uint32_t rows = 0;
  std::size_t capacity = 0;
  std::uint64_t values = 0;
  Array<std::int64_t> time;
  Array<std::uint32_t> line;
  Array<std::uint32_t> series_index;
  std::vector<KnownSeries*> series;
  Ordinals ordinals;
  std::vector<Column> columns;
  std::vector<Field> fields;
  std::vector<Spelling> spellings;
  std::uint32_t first = none;  // the spelling that began the last line
  std::unordered_map<std::string, std::uint32_t, SeededHash> by_spelling;
  std::unordered_map<std::string, std::uint32_t, SeededHash> by_name;

  // Room for one more row in every column.
  void make_room() {
    if (rows < capacity) return;
    capacity = capacity ? capacity * 2 : 64;
    time.resize(capacity);
    line.resize(capacity);
    series_index.resize(capacity);
    for (Column& column : columns) column.grow(capacity);
  }
};

}  // namespace fluxkeep
