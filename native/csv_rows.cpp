// Rows of annotated CSV from columns: numbers, times and texts are spelled here, without a frame or an
// object a cell. Lines end CRLF. See formats/annotated_csv.py for what stands around them.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace nb = nanobind;

namespace {

template <typename T>
using View = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

enum class Kind : int { Float = 0, Integer = 1, Unsigned = 2, Boolean = 3, Time = 4, Text = 5 };

// The longest cell that is no text: a float of 309 digits, or of 323 zeros and 17 digits, and its sign.
constexpr std::size_t cell_bytes_max = 400;

struct Column {
  bool per_table;
  Kind kind;
  const void* values = nullptr;
  const std::int64_t* offsets = nullptr;  // of texts
  const std::uint8_t* valid = nullptr;    // null while no cell is absent
};

char* put_scientific_as_fixed(char* at, double value) {
  char digits[32];
  const auto written = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific);
  const char* p = digits;
  if (*p == '-') *at++ = *p++;
  const char* e = static_cast<const char*>(std::memchr(p, 'e', static_cast<std::size_t>(written.ptr - p)));
  int exponent = 0;
  const char* digit = e + 1;
  const bool negative = *digit == '-';
  for (++digit; digit < written.ptr; ++digit) exponent = exponent * 10 + (*digit - '0');
  std::string significant(1, *p);
  if (e - p > 2) significant.append(p + 2, e);
  const std::size_t size = significant.size();
  if (negative) {
    *at++ = '0';
    *at++ = '.';
    std::memset(at, '0', static_cast<std::size_t>(exponent - 1));
    at += exponent - 1;
    std::memcpy(at, significant.data(), size);
    return at + size;
  }
  const std::size_t whole = static_cast<std::size_t>(exponent) + 1;
  if (size <= whole) {
    std::memcpy(at, significant.data(), size);
    std::memset(at + size, '0', whole - size);
    return at + whole;
  }
  std::memcpy(at, significant.data(), whole);
  at[whole] = '.';
  std::memcpy(at + whole + 1, significant.data() + whole, size - whole);
  return at + size + 1;
}

// Shortest digits that give the value back, never with an exponent.
char* put_float(char* at, double value) {
  if (std::isnan(value)) return static_cast<char*>(std::memcpy(at, "NaN", 3)) + 3;
  if (std::isinf(value)) return static_cast<char*>(std::memcpy(at, value > 0 ? "+Inf" : "-Inf", 4)) + 4;
  const double size = std::fabs(value);
  if (size < 9007199254740992.0) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) {
      if (whole == 0 && std::signbit(value)) *at++ = '-';
      return std::to_chars(at, at + 24, whole).ptr;
    }
    if (size > 1e-5) return std::to_chars(at, at + 64, value, std::chars_format::fixed).ptr;
  }
  return put_scientific_as_fixed(at, value);
}

char* put_padded(char* at, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
  return at + digits;
}

// RFC 3339 in UTC with the shortest fraction; the date of the last call is kept, since days are long.
class Times {
 public:
  char* put(char* at, std::int64_t ns) {
    constexpr std::int64_t day_ns = 86'400'000'000'000;
    std::int64_t day = ns / day_ns;
    std::int64_t rest = ns % day_ns;
    if (rest < 0) {
      rest += day_ns;
      --day;
    }
    if (!known_ || day != day_) make_date(day);
    std::memcpy(at, date_, sizeof date_);
    at += sizeof date_;
    const auto seconds = static_cast<unsigned>(rest / 1'000'000'000);
    auto fraction = static_cast<unsigned>(rest % 1'000'000'000);
    at = put_padded(at, seconds / 3600, 2);
    *at++ = ':';
    at = put_padded(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_padded(at, seconds % 60, 2);
    if (fraction != 0) {
      int digits = 9;
      for (; fraction % 10 == 0; fraction /= 10) --digits;
      *at++ = '.';
      at = put_padded(at, fraction, digits);
    }
    *at++ = 'Z';
    return at;
  }

 private:
  // Days since 1970 to a date of the Gregorian calendar, by eras of 400 years that begin in March.
  void make_date(std::int64_t day) {
    known_ = true;
    day_ = day;
    const std::int64_t shifted = day + 719'468;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const auto of_era = static_cast<unsigned>(shifted - era * 146'097);
    const unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
    const unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const unsigned month_from_march = (5 * of_year + 2) / 153;
    const unsigned date = of_year - (153 * month_from_march + 2) / 5 + 1;
    const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    // Instants of 64 bits lie between 1677 and 2262: four digits.
    const auto year = static_cast<unsigned>(static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0));
    char* at = put_padded(date_, year, 4);
    *at++ = '-';
    at = put_padded(at, month, 2);
    *at++ = '-';
    at = put_padded(at, date, 2);
    *at = 'T';
  }

  bool known_ = false;
  std::int64_t day_ = 0;
  char date_[11];
};

// Whether a text begins with a character of Unicode's White_Space.
bool begins_with_space(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  if (first == ' ' || (first >= '\t' && first <= '\r')) return true;
  if (first < 0xC2) return false;
  if (first == 0xC2) return byte(1) == 0x85 || byte(1) == 0xA0;
  if (first == 0xE1) return byte(1) == 0x9A && byte(2) == 0x80;
  if (first == 0xE3) return byte(1) == 0x80 && byte(2) == 0x80;
  if (first != 0xE2) return false;
  if (byte(1) == 0x80) return (byte(2) >= 0x80 && byte(2) <= 0x8A) || byte(2) == 0xA8 || byte(2) == 0xA9 || byte(2) == 0xAF;
  return byte(1) == 0x81 && byte(2) == 0x9F;
}

// A growing text, written at its end without a check a byte.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { std::free(data_); }

  char* room(std::size_t count) {
    if (capacity_ - size_ < count) {
      capacity_ = (capacity_ + count) * 2 + 4096;
      void* moved = std::realloc(data_, capacity_);
      if (moved == nullptr) throw std::bad_alloc();
      data_ = static_cast<char*>(moved);
    }
    return data_ + size_;
  }
  void reach(const char* end) { size_ = static_cast<std::size_t>(end - data_); }
  void put(std::string_view text) {
    std::memcpy(room(text.size() + 1), text.data(), text.size());
    size_ += text.size();
  }
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  std::string_view text() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class Rows {
 public:
  Rows(std::vector<Column> columns, char delimiter) : delimiter_(delimiter) {
    for (Column& column : columns) {
      // Key columns that stand together are spelled once a table.
      if (groups_.empty() || groups_.back().per_table != column.per_table) groups_.emplace_back(column.per_table);
      groups_.back().columns.push_back(column);
    }
  }

  void put(Output& out, std::string_view lead, const std::int32_t* tables, const std::int64_t* numbers, std::size_t row) {
    const auto table = static_cast<std::size_t>(tables[row]);
    if (!known_ || table != table_) {
      known_ = true;
      table_ = table;
      head_.clear();
      head_.put(lead);
      char* at = head_.room(24);
      *at++ = delimiter_;
      head_.reach(std::to_chars(at, at + 20, numbers[table]).ptr);
      for (Group& group : groups_) {
        if (!group.per_table) continue;
        group.cells.clear();
        for (const Column& column : group.columns) cell(group.cells, column, table);
      }
    }
    out.put(head_.text());
    for (const Group& group : groups_) {
      if (group.per_table) {
        out.put(group.cells.text());
      } else {
        for (const Column& column : group.columns) cell(out, column, row);
      }
    }
    out.put("\r\n");
  }

 private:
  struct Group {
    bool per_table;
    std::vector<Column> columns;
    Output cells;
    explicit Group(bool whole_tables) : per_table(whole_tables) {}
  };

  void cell(Output& out, const Column& column, std::size_t at) {
    if (column.kind == Kind::Text) {
      const std::int64_t from = column.offsets[at];
      const auto size = static_cast<std::size_t>(column.offsets[at + 1] - from);
      text(out, {static_cast<const char*>(column.values) + from, size});
      return;
    }
    char* end = out.room(cell_bytes_max);
    *end++ = delimiter_;
    if (column.valid == nullptr || column.valid[at] != 0) {
      switch (column.kind) {
        case Kind::Float:
          end = put_float(end, static_cast<const double*>(column.values)[at]);
          break;
        case Kind::Integer:
          end = std::to_chars(end, end + 24, static_cast<const std::int64_t*>(column.values)[at]).ptr;
          break;
        case Kind::Unsigned:
          end = std::to_chars(end, end + 24, static_cast<const std::uint64_t*>(column.values)[at]).ptr;
          break;
        case Kind::Boolean:
          if (static_cast<const std::uint8_t*>(column.values)[at] != 0) {
            end = static_cast<char*>(std::memcpy(end, "true", 4)) + 4;
          } else {
            end = static_cast<char*>(std::memcpy(end, "false", 5)) + 5;
          }
          break;
        case Kind::Time:
          end = times_.put(end, static_cast<const std::int64_t*>(column.values)[at]);
          break;
        case Kind::Text:
          break;
      }
    }
    out.reach(end);
  }

  // Quoted where RFC 4180 and the reference's writer do: a lone carriage return is dropped.
  void text(Output& out, std::string_view value) {
    bool special = value == "\\." || begins_with_space(value);
    for (std::size_t i = 0; i < value.size() && !special; ++i) {
      const char c = value[i];
      special = c == delimiter_ || c == '"' || c == '\r' || c == '\n';
    }
    char* end = out.room(2 * value.size() + 3);
    *end++ = delimiter_;
    if (!special) {
      if (!value.empty()) std::memcpy(end, value.data(), value.size());
      out.reach(end + value.size());
      return;
    }
    *end++ = '"';
    for (const char c : value) {
      if (c == '\r') continue;
      if (c == '"') *end++ = '"';
      if (c == '\n') *end++ = '\r';
      *end++ = c;
    }
    *end++ = '"';
    out.reach(end);
  }

  char delimiter_;
  std::deque<Group> groups_;  // they hold what cannot be moved
  Output head_;
  bool known_ = false;
  std::size_t table_ = 0;
  Times times_;
};

// What is handed in stays where it is while `held` lives.
Column column_of(nb::handle given, std::size_t rows, std::size_t tables, std::vector<nb::object>& held) {
  const nb::tuple parts = nb::cast<nb::tuple>(given);
  Column column;
  column.per_table = nb::cast<bool>(parts[0]);
  column.kind = static_cast<Kind>(nb::cast<int>(parts[1]));
  const std::size_t count = column.per_table ? tables : rows;
  const auto keep = [&](auto view, std::size_t least) {
    if (view.size() < least) throw nb::value_error("a column is shorter than its rows");
    held.push_back(nb::cast(view));
    return view.data();
  };
  switch (column.kind) {
    case Kind::Float:
      column.values = keep(nb::cast<View<double>>(parts[2]), count);
      break;
    case Kind::Integer:
    case Kind::Time:
      column.values = keep(nb::cast<View<std::int64_t>>(parts[2]), count);
      break;
    case Kind::Unsigned:
      column.values = keep(nb::cast<View<std::uint64_t>>(parts[2]), count);
      break;
    case Kind::Boolean:
      column.values = keep(nb::cast<View<std::uint8_t>>(parts[2]), count);
      break;
    case Kind::Text: {
      const nb::tuple text = nb::cast<nb::tuple>(parts[2]);
      column.offsets = keep(nb::cast<View<std::int64_t>>(text[0]), count + 1);
      const auto bytes = nb::cast<View<std::uint8_t>>(text[1]);
      std::int64_t before = 0;
      for (std::size_t i = 0; i <= count; ++i) {
        if (column.offsets[i] < before) throw nb::value_error("offsets of texts descend");
        before = column.offsets[i];
      }
      column.values = keep(bytes, static_cast<std::size_t>(before));
      break;
    }
    default:
      throw nb::value_error("an unknown kind of column");
  }
  if (!parts[3].is_none()) column.valid = keep(nb::cast<View<std::uint8_t>>(parts[3]), count);
  return column;
}

nb::tuple encode(nb::list given, View<std::int32_t> tables, View<std::int64_t> numbers, nb::bytes lead,
                 const std::string& delimiter, std::size_t first, std::size_t last, View<std::int64_t> cuts) {
  if (delimiter.size() != 1) throw nb::value_error("a delimiter is one byte");
  if (first > last || last > tables.size()) throw nb::value_error("rows out of range");
  std::vector<nb::object> held;
  std::vector<Column> columns;
  for (nb::handle column : given) columns.push_back(column_of(column, tables.size(), numbers.size(), held));
  for (std::size_t row = first; row < last; ++row) {
    if (tables.data()[row] < 0 || static_cast<std::size_t>(tables.data()[row]) >= numbers.size()) {
      throw nb::value_error("a row of no table");
    }
  }
  const std::string_view lead_text(lead.c_str(), lead.size());
  std::vector<std::int64_t> offsets;
  offsets.reserve(cuts.size());
  Output out;
  {
    nb::gil_scoped_release unlocked;
    Rows rows(std::move(columns), delimiter[0]);
    std::size_t cut = 0;
    for (std::size_t row = first; row <= last; ++row) {
      for (; cut < cuts.size() && cuts.data()[cut] <= static_cast<std::int64_t>(row); ++cut) {
        offsets.push_back(static_cast<std::int64_t>(out.size()));
      }
      if (row < last) rows.put(out, lead_text, tables.data(), numbers.data(), row);
    }
  }
  nb::list found;
  for (const std::int64_t offset : offsets) found.append(offset);
  const std::string_view text = out.text();
  return nb::make_tuple(nb::bytes(text.data(), text.size()), found);
}

}  // namespace

NB_MODULE(_csv_rows, m) {
  m.def("encode", &encode, nb::arg("columns"), nb::arg("tables"), nb::arg("numbers"), nb::arg("lead"),
        nb::arg("delimiter"), nb::arg("first"), nb::arg("last"), nb::arg("cuts"));
}
