#include "numbers.hpp"

#include <charconv>

namespace fluxkeep {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// digits [. digits] [e [sign] digits], with a digit before the exponent.
bool has_float_form(const char* p, const char* last) {
  if (p < last && *p == '-') ++p;
  bool digits = false;
  for (; p < last && is_digit(*p); ++p) digits = true;
  if (p < last && *p == '.') ++p;
  for (; p < last && is_digit(*p); ++p) digits = true;
  if (!digits) return false;
  if (p == last) return true;
  if (*p != 'e' && *p != 'E') return false;
  ++p;
  if (p < last && (*p == '+' || *p == '-')) ++p;
  if (p == last) return false;
  while (p < last && is_digit(*p)) ++p;
  return p == last;
}

// Whether a number that is out of a double's range is so for being too small.
// The exponent of its first significant digit decides; the text has the right form.
bool is_tiny(const char* p, const char* last) {
  std::int64_t lead = 0;
  bool significant = false;
  bool point = false;
  for (; p < last && *p != 'e' && *p != 'E'; ++p) {
    if (*p == '.') {
      point = true;
    } else if (is_digit(*p)) {
      significant = significant || *p != '0';
      if (significant && !point) ++lead;
      if (!significant && point) --lead;
    }
  }
  if (!significant) return true;
  if (p == last) return lead < 0;
  ++p;
  const bool negative = *p == '-';
  if (*p == '+' || *p == '-') ++p;
  constexpr std::int64_t enough = std::int64_t{1} << 40;
  std::int64_t exponent = 0;
  for (; p < last; ++p) exponent = exponent < enough ? exponent * 10 + (*p - '0') : enough;
  return lead + (negative ? -exponent : exponent) < 0;
}

bool parse_uint64(std::string_view digits, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

const double exact_powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool parse_int64(std::string_view digits, std::int64_t& value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size();
}

bool parse_float(const char* first, const char* last, double& value) {
  if (!has_float_form(first, last)) return false;
  const auto [end, error] = std::from_chars(first, last, value);
  if (error == std::errc::result_out_of_range) {
    if (!is_tiny(first, last)) return false;
    value = *first == '-' ? -0.0 : 0.0;
    return true;
  }
  // Libraries differ in whether an overflow is an error or infinity.
  return error == std::errc() && end == last && value - value == 0;
}

const char* parse_number(const char* p, const char* limit, FieldType& type, Scalar& value, std::string& reason) {
  const char* const start = p;
  const auto invalid = [&reason] {
    reason = "invalid number";
    return nullptr;
  };
  const bool negative = p < limit && *p == '-';
  if (negative && ++p == limit) return invalid();
  bool integer = false;
  bool whole = false;
  bool point = false;
  bool exponent = false;
  for (; p < limit && *p != ',' && *p != ' '; ++p) {
    const char c = *p;
    if (c == 'i' && p > start && !integer && !whole) {
      integer = true;
    } else if (c == 'u' && p > start && !integer && !whole) {
      whole = true;
    } else if (c == '.') {
      if (point) return invalid();
      point = true;
    } else if ((c == 'e' || c == 'E') && p > start) {
      exponent = true;
    } else if ((c == '+' || c == '-') && p > start && (p[-1] == 'e' || p[-1] == 'E')) {
      continue;
    } else if (!is_digit(c)) {
      return invalid();
    }
  }
  if ((integer || whole) && (point || exponent)) return invalid();
  if (p - start - (integer ? 1 : 0) - (point ? 1 : 0) - (negative ? 1 : 0) == 0) return invalid();
  const std::string_view digits(start, static_cast<std::size_t>(p - start - (integer || whole ? 1 : 0)));
  if (integer) {
    if (p[-1] != 'i') return invalid();
    type = FieldType::Integer;
    if (!parse_int64(digits, value.integer)) {
      reason = "unable to parse integer " + std::string(digits) + ": strconv.ParseInt: parsing \"" +
               std::string(digits) + "\": value out of range";
      return nullptr;
    }
    return p;
  }
  if (whole) {
    if (p[-1] != 'u' || negative) return invalid();
    type = FieldType::Unsigned;
    if (!parse_uint64(digits, value.whole)) {
      reason = "unable to parse unsigned " + std::string(digits) + ": strconv.ParseUint: parsing \"" +
               std::string(digits) + "\": value out of range";
      return nullptr;
    }
    return p;
  }
  type = FieldType::Float;
  if (!parse_float(start, p, value.number)) {
    reason = "invalid float";
    return nullptr;
  }
  return p;
}

}  // namespace fluxkeep
