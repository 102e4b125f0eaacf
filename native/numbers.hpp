// Field values that are numbers, as the reference scans them. No Python here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fluxkeep {

enum class FieldType : std::uint8_t { Float = 0, Integer = 1, Unsigned = 2, String = 3, Boolean = 4 };

union Scalar {
  double number;
  std::int64_t integer;
  std::uint64_t whole;
  bool truth;
};

// Powers of ten that a double holds exactly.
extern const double exact_powers[23];

// The double nearest to a decimal text of digits, one point and an exponent; false when it is too
// large for one, or no number. Too small becomes zero, as in the reference.
bool parse_float(const char* first, const char* last, double& value);

// A number from p up to the next comma, space or `limit`.
// Returns its end, or nullptr with `reason` set.
const char* parse_number(const char* p, const char* limit, FieldType& type, Scalar& value, std::string& reason);

// A decimal int64 with an optional minus; false when out of range. At least one digit, digits only.
bool parse_int64(std::string_view digits, std::int64_t& value);

}  // namespace fluxkeep
