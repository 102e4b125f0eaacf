#include "scanner.hpp"

#include <algorithm>
#include <cstdlib>

namespace fluxkeep {
namespace {

// Source: http-api.md 6.3.7, 6.3.6.
constexpr std::size_t key_bytes_max = 65535;
constexpr std::int64_t time_max = 9223372036854775806;
// Where a fast line would come near the limit of a key's size, the exact way counts.
constexpr std::size_t plain_key_bytes_max = 60000;
constexpr std::size_t plain_field_bytes_max = 5000;
// A line of fewer bytes is not expected to bring a series of its own.
constexpr std::size_t series_bytes_min = 16;
// Columns are dense. A request whose points share no fields would need rows times fields cells;
// past this allowance a measurement goes on in a new part.
constexpr std::uint64_t cells_base = 65536;
constexpr std::uint64_t cells_per_value = 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char* skip_blanks(const char* p, const char* end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\0')) ++p;
  return p;
}

// Whether the splitter and the key's scanner agree on where the key ends.
bool is_plain(std::string_view raw) {
  return raw.size() <= plain_key_bytes_max && raw.find("\\\\") == std::string_view::npos;
}

bool is_crowded(const Part& part, std::size_t columns) {
  return part.rows > 0 && (part.rows + std::uint64_t{1}) * columns > cells_base + cells_per_value * part.values;
}

// Eight digits at once; false when they are not eight digits.
bool eight_digits(const char* p, std::uint64_t& value) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::uint64_t word = load64(p);
  const std::uint64_t high = 0xF0F0F0F0F0F0F0F0ULL;
  if (((word & high) | (((word + 0x0606060606060606ULL) & high) >> 4)) != 0x3333333333333333ULL) return false;
  word = (word & 0x0F0F0F0F0F0F0F0FULL) * 2561 >> 8;
  word = (word & 0x00FF00FF00FF00FFULL) * 6553601 >> 16;
  value = (word & 0x0000FFFF0000FFFFULL) * 42949672960001ULL >> 32;
  return true;
#else
  value = 0;
  for (int i = 0; i < 8; ++i) {
    if (!is_digit(p[i])) return false;
    value = value * 10 + static_cast<std::uint64_t>(p[i] - '0');
  }
  return true;
#endif
}

void append_sized(std::string& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  out.append(text);
}

bool in_range(std::int64_t time_ns) { return time_ns >= -time_max && time_ns <= time_max; }

}  // namespace

Scanner::Scanner(std::size_t bytes, std::int64_t unit_ns, Limits limits, SeriesGeneration& known)
    : unit_ns_(unit_ns), limits_(limits), known_(known), raw_table_(256, none) {
  // As many series as last time, but no more than the bodies can hold.
  const std::size_t expected = std::min<std::size_t>(known.expected, bytes / series_bytes_min);
  while (raw_table_.size() < 2 * expected) raw_table_.resize(raw_table_.size() * 2, none);
  raw_series_.reserve(expected);
  raw_hashes_.reserve(expected);
}

void Scanner::scan(std::string_view body, std::int64_t default_time_ns) {
  end_ = body.data() + body.size();
  default_time_ns_ = default_time_ns;
  counted_to_ = body.data();
  lines_before_ = 0;
  for (const char* p = body.data(); p < end_;) {
    if (take_fast(p)) continue;
    const char* const stop = split(p);
    if (stop > p) take_exact(p, stop);
    p = stop + 1;
  }
  known_.expected = static_cast<std::uint32_t>(raw_series_.size());
}

// ---- the fast way ----------------------------------------------------------------------------

bool Scanner::take_fast(const char*& p) {
  std::uint32_t entry = last_series_ == none ? none : raw_series_[last_series_].next;
  if (entry != none) {
    const RawSeries& guess = raw_series_[entry];
    if (static_cast<std::size_t>(end_ - p) <= guess.size || p[guess.size] != ' ' ||
        !same_bytes(p, guess.raw, guess.size)) {
      entry = none;
    }
  }
  KnownSeries* fresh = nullptr;
  std::string_view raw;
  std::uint32_t measurement;
  if (entry == none) {
    // What followed in an earlier request is the next guess.
    KnownSeries* guess =
        last_series_ == none ? nullptr : raw_series_[last_series_].known->next.load(std::memory_order_acquire);
    const char* stop;
    std::uint64_t hash;
    if (guess != nullptr && static_cast<std::size_t>(end_ - p) > guess->raw.size() && p[guess->raw.size()] == ' ' &&
        guess->plain && same_bytes(p, guess->raw.data(), guess->raw.size())) {
      stop = p + guess->raw.size();
      raw = std::string_view(p, guess->raw.size());
      hash = guess->hash;
    } else {
      guess = nullptr;
      stop = find_either(p, end_, ' ', '\n');
      while (stop < end_ && *stop == ' ' && stop > p && stop[-1] == '\\') {
        stop = find_either(stop + 1, end_, ' ', '\n');
      }
      if (stop == end_ || *stop == '\n') return false;
      raw = std::string_view(p, static_cast<std::size_t>(stop - p));
      hash = hash_bytes(raw.data(), raw.size());
    }
    entry = find_raw(raw, hash);
    if (entry == none) {
      fresh = guess != nullptr ? guess : known_.find(raw, hash);
      if (fresh == nullptr && is_plain(raw) && *p != '#' && skip_blanks(p, stop) == p && scan_key(p, stop + 1) == stop) {
        fresh = learn_series(hash);
      }
      if (fresh == nullptr || !fresh->plain) return false;
      if (last_series_ != none && raw_series_[last_series_].known->measurement == fresh->measurement) {
        measurement = raw_series_[last_series_].measurement;
      } else {
        const auto found = measurement_ids_.find(fresh->measurement);
        if (found == measurement_ids_.end()) return false;
        measurement = found->second;
      }
    }
  }
  if (fresh == nullptr) {
    const RawSeries& series = raw_series_[entry];
    if (!series.plain) return false;
    measurement = series.measurement;
    raw = std::string_view(p, series.size);
  }
  const std::uint32_t part_id = current_part_[measurement];
  Part& part = *parts[part_id];
  if (is_crowded(part, part.columns.size())) return false;
  part.make_room();
  const std::uint64_t values_before = part.values;
  const char* q = p + raw.size() + 1;
  std::int64_t time_ns = default_time_ns_;
  ++stamp_;
  touched_.clear();
  if (!take_fields(part, q) || !take_time(q, time_ns)) {
    for (const std::uint32_t at : touched_) part.columns[at].forget(part.rows);
    part.values = values_before;
    return false;
  }
  if (fresh != nullptr) entry = add_raw(raw, *fresh, measurement);
  place(raw_series_[entry], part_id);
  end_row(part, entry, time_ns);
  p = q;
  return true;
}

// The field section from p on, written into the part's next row; leaves p at a space or the line's end.
bool Scanner::take_fields(Part& part, const char*& p) {
  const std::uint32_t row = part.rows;
  std::uint32_t* guess = &part.first;
  for (;;) {
    std::uint32_t id = *guess;
    if (id == none || static_cast<std::size_t>(end_ - p) < part.spellings[id].raw.size() ||
        !same_bytes(p, part.spellings[id].raw.data(), part.spellings[id].raw.size())) {
      const char* stop = p;
      while (stop < end_ && *stop != '=' && *stop != ',' && *stop != ' ' && *stop != '\n') ++stop;
      if (stop == end_ || *stop != '=') return false;
      scratch_.assign(p, stop + 1);
      const auto found = part.by_spelling.find(scratch_);
      if (found == part.by_spelling.end()) return false;
      id = found->second;
      *guess = id;
    }
    Spelling& spelling = part.spellings[id];
    Field& field = part.fields[spelling.field];
    if (!spelling.plain || field.stamp == stamp_) return false;
    field.stamp = stamp_;
    p += spelling.raw.size();
    const char c = *p;
    FieldType type = FieldType::Boolean;
    Scalar value{};
    if (is_digit(c) || c == '-' || c == '.') {
      p = take_number(p, type, value);
      if (p == nullptr) return false;
    } else if (c == '"') {
      const std::uint32_t at = field.columns[static_cast<std::size_t>(FieldType::String)];
      if (at == none) return false;
      p = take_text(p + 1, part.columns[at], row);
      if (p == nullptr) return false;
      touched_.push_back(at);
      type = FieldType::String;
    } else {
      const char* stop = p;
      while (stop < end_ && *stop != ',' && *stop != ' ' && *stop != '\n') ++stop;
      const std::string_view word(p, static_cast<std::size_t>(stop - p));
      if (word == "true" || word == "t" || word == "T" || word == "True" || word == "TRUE") {
        value.truth = true;
      } else if (word != "false" && word != "f" && word != "F" && word != "False" && word != "FALSE") {
        return false;
      }
      p = stop;
    }
    if (type != FieldType::String) {
      const std::uint32_t at = field.columns[static_cast<std::size_t>(type)];
      if (at == none) return false;
      part.columns[at].put(row, value);
      touched_.push_back(at);
    }
    ++part.values;
    if (p == end_ || *p == ' ' || *p == '\n') return true;
    if (*p != ',') return false;
    ++p;
    guess = &spelling.next;
  }
}

// What can be read at a glance; nullptr for everything else, right or wrong.
const char* Scanner::take_number(const char* p, FieldType& type, Scalar& value) const {
  const char* const start = p;
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const digits = p;
  std::uint64_t sum = 0;
  for (; is_digit(*p); ++p) sum = sum * 10 + static_cast<std::uint64_t>(*p - '0');
  std::size_t count = static_cast<std::size_t>(p - digits);
  if (*p == 'i') {
    if (count == 0 || count > 18) return nullptr;
    type = FieldType::Integer;
    value.integer = negative ? -static_cast<std::int64_t>(sum) : static_cast<std::int64_t>(sum);
    return p + 1;
  }
  if (*p == 'u') {
    if (count == 0 || count > 19 || negative) return nullptr;
    type = FieldType::Unsigned;
    value.whole = sum;
    return p + 1;
  }
  std::size_t decimals = 0;
  if (*p == '.') {
    const char* const fraction = ++p;
    std::uint64_t eight = 0;
    while (end_ - p >= 8 && eight_digits(p, eight)) {
      sum = sum * 100000000 + eight;
      p += 8;
    }
    for (; is_digit(*p); ++p) sum = sum * 10 + static_cast<std::uint64_t>(*p - '0');
    decimals = static_cast<std::size_t>(p - fraction);
    count += decimals;
  }
  if (count == 0) return nullptr;
  type = FieldType::Float;
  if (*p == 'e' || *p == 'E') {
    for (++p; is_digit(*p) || *p == '+' || *p == '-';) ++p;
    return parse_float(start, p, value.number) ? p : nullptr;
  }
  // Both are exact as doubles, so that the quotient is the nearest double.
  if (count <= 19 && sum <= (std::uint64_t{1} << 53) && decimals <= 22) {
    const double magnitude = static_cast<double>(sum) / exact_powers[decimals];
    value.number = negative ? -magnitude : magnitude;
    return p;
  }
  return parse_float(start, p, value.number) ? p : nullptr;
}

// The rest of a string from behind its opening quote; returns what follows the closing one.
const char* Scanner::take_text(const char* p, Column& column, std::uint32_t row) {
  column.reach(row);
  const std::size_t before = column.text.size();
  for (;;) {
    const char* stop = find_either(p, end_, '"', '\\');
    column.text.append(p, stop);
    if (stop == end_ || (*stop == '\\' && end_ - stop <= 2)) {
      column.text.resize(before);
      return nullptr;
    }
    p = stop + 1;
    if (*stop == '"') break;
    if (*p != '"' && *p != '\\') column.text.push_back('\\');
    column.text.push_back(*p++);
  }
  const std::size_t size = column.text.size() - before;
  if (!is_utf8(column.text.data() + before, size)) {
    scratch_.clear();
    append_utf8(scratch_, column.text.data() + before, size);
    column.text.replace(before, size, scratch_);
  }
  column.put_text(row);
  return p;
}

// From behind the fields to behind the line; leaves p at the next line.
bool Scanner::take_time(const char*& p, std::int64_t& time_ns) const {
  if (p < end_ && *p == ' ') {
    ++p;
    const bool negative = *p == '-';
    if (negative) ++p;
    const char* const digits = p;
    std::uint64_t sum = 0;
    std::uint64_t eight = 0;
    while (end_ - p >= 8 && eight_digits(p, eight)) {
      sum = sum * 100000000 + eight;
      p += 8;
    }
    for (; is_digit(*p); ++p) sum = sum * 10 + static_cast<std::uint64_t>(*p - '0');
    if (p == digits || p - digits > 19 || sum > static_cast<std::uint64_t>(time_max)) return false;
    const auto amount = negative ? -static_cast<std::int64_t>(sum) : static_cast<std::int64_t>(sum);
    if (__builtin_mul_overflow(amount, unit_ns_, &time_ns) || !in_range(time_ns)) return false;
  }
  if (p == end_) return true;
  if (*p != '\n') return false;
  ++p;
  return true;
}

// ---- the exact way ---------------------------------------------------------------------------

// The newline that ends the line beginning at p, or the end of the body.
const char* Scanner::split(const char* p) const {
  bool quoted = false;
  bool fields = false;
  std::size_t equals = 0;
  std::size_t commas = 0;
  while (p < end_) {
    const char c = *p;
    // Quirk: a backslash among the last two bytes of a body is not seen as one.
    if (c == '\\' && end_ - p > 2) {
      p += 2;
      continue;
    }
    if (c == ' ') fields = true;
    if (fields && c == '=' && !quoted) {
      ++equals;
    } else if (fields && c == ',' && !quoted) {
      ++commas;
    } else if (fields && c == '"' && equals > commas) {
      quoted = !quoted;
    } else if (c == '\n' && !quoted) {
      return p;
    }
    ++p;
  }
  return end_;
}

void Scanner::take_exact(const char* p, const char* end) {
  p = skip_blanks(p, end);
  if (p == end || *p == '#') return;
  if (end[-1] == '\n') --end;
  if (parse(p, end)) {
    commit();
    return;
  }
  ++error_count;
  if (errors.size() >= limits_.errors_max) return;
  lines_before_ += static_cast<std::uint64_t>(std::count(counted_to_, p, '\n'));
  counted_to_ = p;
  const auto size = static_cast<std::size_t>(end - p);
  const bool clipped = size > limits_.excerpt_bytes_max;
  errors.push_back({lines_before_ + 1, std::string(p, clipped ? limits_.excerpt_bytes_max : size), clipped, reason_});
}

bool Scanner::refuse(std::string reason) {
  reason_ = std::move(reason);
  return false;
}

bool Scanner::parse(const char* p, const char* end) {
  const auto size = static_cast<std::size_t>(end - p);
  if (size > limits_.line_bytes_max) {
    return refuse("line is too long: " + std::to_string(size) + " > " + std::to_string(limits_.line_bytes_max));
  }
  const auto too_long = [this](std::size_t bytes) {
    return refuse("max key length exceeded: " + std::to_string(bytes) + " > " + std::to_string(key_bytes_max));
  };
  p = scan_key(p, end);
  if (p == nullptr) return false;
  if (key_.size() > key_bytes_max) return too_long(key_.size());
  p = scan_fields(skip_blanks(p, end), end);
  if (p == nullptr) return false;
  for (const Value& value : values_) {
    const std::size_t bytes = key_.size() + 4 + value.raw_key.size();
    if (bytes > key_bytes_max) return too_long(bytes);
  }
  return scan_time(skip_blanks(p, end), end);
}

const char* Scanner::scan_key(const char* p, const char* end) {
  const char* const start = p;
  tag_count_ = 0;
  bool more = false;
  p = scan_measurement(p, end, more);
  while (p != nullptr && more) p = scan_tag(p, end, more);
  if (p == nullptr) return nullptr;
  key_ = std::string_view(start, static_cast<std::size_t>(p - start));
  return check_tags() ? p : nullptr;
}

// Leaves at the space before the fields, or behind the comma before the tags.
const char* Scanner::scan_measurement(const char* p, const char* end, bool& tags) {
  const char* const start = p;
  if (p == end || *p == ',') {
    refuse("missing measurement");
    return nullptr;
  }
  for (++p; p < end; ++p) {
    // Quirk: only the byte before counts, so that a doubled backslash escapes too.
    if (p[-1] == '\\' || (*p != ',' && *p != ' ')) continue;
    name_ = std::string_view(start, static_cast<std::size_t>(p - start));
    tags = *p == ',';
    return tags ? p + 1 : p;
  }
  refuse("missing fields");
  return nullptr;
}

const char* Scanner::scan_tag(const char* p, const char* end, bool& more) {
  const char* const key = p;
  if (p == end || *p == ' ' || *p == ',' || *p == '=') {
    refuse("missing tag key");
    return nullptr;
  }
  for (++p;; ++p) {
    if (p == end || ((*p == ' ' || *p == ',') && p[-1] != '\\')) {
      refuse("missing tag value");
      return nullptr;
    }
    if (*p == '=' && p[-1] != '\\') break;
  }
  const char* const value = p + 1;
  if (value == end || *value == ',' || *value == ' ') {
    refuse("missing tag value");
    return nullptr;
  }
  // Quirk: an equals sign as a value's first byte is taken literally.
  for (p = value + 1;; ++p) {
    if (p == end) {
      refuse("missing fields");
      return nullptr;
    }
    if (p[-1] == '\\') continue;
    if (*p == '=') {
      refuse("invalid tag format");
      return nullptr;
    }
    if (*p == ',' || *p == ' ') break;
  }
  if (tag_count_ == tags_.size()) tags_.emplace_back();
  Tag& tag = tags_[tag_count_++];
  tag.raw_key = std::string_view(key, static_cast<std::size_t>(value - 1 - key));
  tag.raw_value = std::string_view(value, static_cast<std::size_t>(p - value));
  more = *p == ',';
  return more ? p + 1 : p;
}

// Refuses reserved and repeated keys; leaves the tags decoded and sorted by key bytes.
bool Scanner::check_tags() {
  for (std::size_t i = 0; i < tag_count_; ++i) {
    const std::string_view key = tags_[i].raw_key;
    if (key == "_field" || key == "_measurement" || key == "time") {
      return refuse("cannot use reserved tag key \"" + std::string(key) + "\"");
    }
    if (key == std::string_view("\0", 1)) return refuse("cannot use reserved tag key \"\\x00\"");
    if (key == "\xff") return refuse("cannot use reserved tag key \"\\xff\"");
  }
  const auto decode = [this](std::string& out, std::string_view raw) {
    scratch_.clear();
    append_unescaped(scratch_, raw, ",= ");
    out.clear();
    append_utf8(out, scratch_.data(), scratch_.size());
  };
  for (std::size_t i = 0; i < tag_count_; ++i) {
    decode(tags_[i].key, tags_[i].raw_key);
    decode(tags_[i].value, tags_[i].raw_value);
  }
  const auto first = tags_.begin();
  const auto last = first + static_cast<std::ptrdiff_t>(tag_count_);
  std::sort(first, last, [](const Tag& a, const Tag& b) { return a.key < b.key; });
  const bool repeated = std::adjacent_find(first, last, [](const Tag& a, const Tag& b) { return a.key == b.key; }) != last;
  return repeated ? refuse("duplicate tags") : true;
}

// The field section; leaves at the space behind it or at `end`.
const char* Scanner::scan_fields(const char* p, const char* end) {
  values_.clear();
  const auto fail = [this](const char* reason) -> const char* {
    refuse(reason);
    return nullptr;
  };
  const char* element = p;
  const char* text = nullptr;  // opening quote of the element's string
  bool quoted = false;
  bool sound = true;
  std::size_t equals = 0;
  std::size_t commas = 0;
  const auto close_text = [&](const char* stop) {
    if (text == nullptr) return;
    // Quirk: what follows the closing quote up to the last byte belongs to the string.
    values_.back().quoted = std::string_view(text + 1, static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, stop - text - 2)));
    text = nullptr;
  };
  while (p < end) {
    if (*p == '\\' && end - p > 1) {
      p += 2;
      continue;
    }
    if (*p == '"' && equals > commas) {
      quoted = !quoted;
      ++p;
      continue;
    }
    if (*p == '=' && !quoted) {
      if (equals++ != commas) sound = false;
      if (p == element) return fail("missing field key");
      values_.push_back({std::string_view(element, static_cast<std::size_t>(p - element)), FieldType::String, {}, {}});
      if (end - p == 1 || p[1] == ',' || p[1] == ' ') return fail("missing field value");
      const char c = p[1];
      if (c == '"') {
        text = p + 1;
      } else if (is_digit(c) || c == '.' || c == '-' || c == 'N' || c == 'n') {
        p = parse_number(p + 1, end, values_.back().type, values_.back().scalar, reason_);
        if (p == nullptr) return nullptr;
        continue;
      } else {
        const char* stop = p + 1;
        while (stop < end && *stop != ',' && *stop != ' ') ++stop;
        const std::string_view word(p + 1, static_cast<std::size_t>(stop - p - 1));
        values_.back().type = FieldType::Boolean;
        values_.back().scalar.truth = c == 't' || c == 'T';
        if (word != "t" && word != "T" && word != "true" && word != "True" && word != "TRUE" && word != "f" &&
            word != "F" && word != "false" && word != "False" && word != "FALSE") {
          return fail("invalid boolean");
        }
        p = stop;
        continue;
      }
    }
    if (*p == ',' && !quoted) {
      close_text(p);
      if (equals != ++commas) sound = false;
      element = p + 1;
    }
    if (*p == ' ' && !quoted) break;
    ++p;
  }
  if (quoted) return fail("unbalanced quotes");
  close_text(p);
  if (equals == 0 || commas + 1 != equals || !sound) return fail("invalid field format");
  return p;
}

bool Scanner::scan_time(const char* p, const char* end) {
  const char* const start = p;
  for (; p < end && *p != '\n' && *p != ' '; ++p) {
    if (!is_digit(*p) && !(p == start && *p == '-')) return refuse("bad timestamp");
  }
  time_ns_ = default_time_ns_;
  if (p == start) return true;
  const std::string_view digits(start, static_cast<std::size_t>(p - start));
  if (digits == "-") return refuse("strconv.ParseInt: parsing \"-\": invalid syntax");
  std::int64_t amount = 0;
  if (!parse_int64(digits, amount)) {
    return refuse("strconv.ParseInt: parsing \"" + std::string(digits) + "\": value out of range");
  }
  if (__builtin_mul_overflow(amount, unit_ns_, &time_ns_) || !in_range(time_ns_)) {
    return refuse("time outside range -9223372036854775806 - 9223372036854775806");
  }
  for (; p < end; ++p) {
    if (*p != ' ') return refuse("point is invalid");
  }
  return true;
}

// ---- taking a parsed line in -----------------------------------------------------------------

void Scanner::commit() {
  const std::uint64_t hash = hash_bytes(key_.data(), key_.size());
  std::uint32_t entry = find_raw(key_, hash);
  if (entry == none) {
    KnownSeries* known = known_.find(key_, hash);
    if (known == nullptr) known = learn_series(hash);
    entry = add_raw(key_, *known, measurement_id(known->measurement));
  }
  const std::uint32_t measurement = raw_series_[entry].measurement;
  std::uint32_t part_id = current_part_[measurement];
  const std::size_t added = choose_columns(*parts[part_id]);
  if (is_crowded(*parts[part_id], parts[part_id]->columns.size() + added)) {
    part_id = open_part(measurement);
    choose_columns(*parts[part_id]);
  }
  Part& part = *parts[part_id];
  place(raw_series_[entry], part_id);
  part.make_room();
  const std::uint32_t row = part.rows;
  for (const Chosen& chosen : chosen_) {
    const Value& value = *chosen.value;
    std::uint32_t& at = part.fields[chosen.field].columns[static_cast<std::size_t>(value.type)];
    if (at == none) {
      at = static_cast<std::uint32_t>(part.columns.size());
      part.columns.emplace_back(chosen.field, value.type, part.capacity);
    }
    Column& column = part.columns[at];
    if (value.type == FieldType::String) {
      column.reach(row);
      scratch_.clear();
      append_unescaped(scratch_, value.quoted, "\"\\");
      append_utf8(column.text, scratch_.data(), scratch_.size());
      column.put_text(row);
    } else {
      column.put(row, value.scalar);
    }
  }
  part.values += chosen_.size();
  end_row(part, entry, time_ns_);
}

// The row's columns are written; now it counts.
void Scanner::end_row(Part& part, std::uint32_t entry, std::int64_t time_ns) {
  const std::uint32_t row = part.rows++;
  part.time[row] = time_ns;
  part.line[row] = points_++;
  part.series_index[row] = raw_series_[entry].ordinal;
  if (last_series_ != none && raw_series_[last_series_].next != entry) {
    raw_series_[last_series_].next = entry;
    std::atomic<KnownSeries*>& next = raw_series_[last_series_].known->next;
    if (next.load(std::memory_order_relaxed) != raw_series_[entry].known) {
      next.store(raw_series_[entry].known, std::memory_order_release);
    }
  }
  last_series_ = entry;
}

// Give the series its ordinal in the part, once.
void Scanner::place(RawSeries& series, std::uint32_t part_id) {
  if (series.part == part_id) return;
  Part& part = *parts[part_id];
  KnownSeries* const canonical = series.known->canonical;
  const auto next = static_cast<std::uint32_t>(part.series.size());
  series.ordinal = part.ordinals.place(canonical->number, next);
  if (series.ordinal == next) part.series.push_back(canonical);
  series.part = part_id;
}

// Which fields the line sets, the last value of a repeated name winning; how many columns are missing for it.
std::size_t Scanner::choose_columns(Part& part) {
  ++stamp_;
  chosen_.clear();
  std::uint32_t previous = none;
  for (const Value& value : values_) {
    const std::uint32_t id = spelling_of(part, value.raw_key);
    (previous == none ? part.first : part.spellings[previous].next) = id;
    previous = id;
    Field& field = part.fields[part.spellings[id].field];
    if (field.stamp == stamp_) {
      chosen_[field.slot].value = &value;
    } else {
      field.stamp = stamp_;
      field.slot = static_cast<std::uint32_t>(chosen_.size());
      chosen_.push_back({part.spellings[id].field, &value});
    }
  }
  std::size_t added = 0;
  for (const Chosen& chosen : chosen_) {
    if (part.fields[chosen.field].columns[static_cast<std::size_t>(chosen.value->type)] == none) ++added;
  }
  return added;
}

std::uint32_t Scanner::spelling_of(Part& part, std::string_view raw_key) {
  scratch_.assign(raw_key);
  scratch_.push_back('=');
  const auto found = part.by_spelling.find(scratch_);
  if (found != part.by_spelling.end()) return found->second;
  const std::string raw = scratch_;
  scratch_.clear();
  append_unescaped(scratch_, raw_key, ",\"= ");
  std::string name;
  append_utf8(name, scratch_.data(), scratch_.size());
  const auto [entry, added] = part.by_name.emplace(name, static_cast<std::uint32_t>(part.fields.size()));
  if (added) {
    part.fields.emplace_back();
    part.fields.back().name = std::move(name);
  }
  const bool plain = raw.size() <= plain_field_bytes_max && raw.find_first_of("\"\\\n") == std::string::npos;
  const auto id = static_cast<std::uint32_t>(part.spellings.size());
  part.spellings.push_back({raw, entry->second, none, plain});
  part.by_spelling.emplace(raw, id);
  return id;
}

std::uint32_t Scanner::measurement_id(const std::string& name) {
  const auto [entry, added] = measurement_ids_.emplace(name, static_cast<std::uint32_t>(measurements.size()));
  if (added) {
    measurements.push_back(name);
    current_part_.push_back(none);
    open_part(entry->second);
  }
  return entry->second;
}

// What the key of the line in hand means.
KnownSeries* Scanner::learn_series(std::uint64_t hash) {
  scratch_.clear();
  append_unescaped(scratch_, name_, ", =\"");
  std::string name;
  append_utf8(name, scratch_.data(), scratch_.size());
  std::string tags;
  for (std::size_t i = 0; i < tag_count_; ++i) {
    append_sized(tags, tags_[i].key);
    append_sized(tags, tags_[i].value);
  }
  return known_.add(key_, hash, std::move(name), std::move(tags), is_plain(key_));
}

std::uint32_t Scanner::open_part(std::uint32_t measurement) {
  const auto id = static_cast<std::uint32_t>(parts.size());
  parts.push_back(std::make_unique<Part>());
  parts.back()->measurement = measurement;
  current_part_[measurement] = id;
  return id;
}

std::uint32_t Scanner::find_raw(std::string_view raw, std::uint64_t hash) const {
  const std::size_t mask = raw_table_.size() - 1;
  for (std::size_t at = hash & mask; raw_table_[at] != none; at = (at + 1) & mask) {
    const std::uint32_t entry = raw_table_[at];
    if (raw_hashes_[entry] == hash && raw_series_[entry].size == raw.size() &&
        same_bytes(raw_series_[entry].raw, raw.data(), raw.size())) {
      return entry;
    }
  }
  return none;
}

std::uint32_t Scanner::add_raw(std::string_view raw, KnownSeries& known, std::uint32_t measurement) {
  const auto entry = static_cast<std::uint32_t>(raw_series_.size());
  raw_series_.push_back(
      {raw.data(), static_cast<std::uint32_t>(raw.size()), measurement, none, 0, none, known.plain, &known});
  raw_hashes_.push_back(known.hash);
  if (raw_series_.size() * 2 > raw_table_.size()) {
    raw_table_.assign(raw_table_.size() * 2, none);
    for (std::uint32_t i = 0; i < entry; ++i) {
      std::size_t at = raw_hashes_[i] & (raw_table_.size() - 1);
      while (raw_table_[at] != none) at = (at + 1) & (raw_table_.size() - 1);
      raw_table_[at] = i;
    }
  }
  std::size_t at = known.hash & (raw_table_.size() - 1);
  while (raw_table_[at] != none) at = (at + 1) & (raw_table_.size() - 1);
  raw_table_[at] = entry;
  return entry;
}

}  // namespace fluxkeep
