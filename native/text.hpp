// Bytes as text: UTF-8 repair, escapes, searching and hashing. No Python here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fluxkeep {

inline std::uint64_t load64(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

inline std::uint32_t load32(const char* p) {
  std::uint32_t word;
  std::memcpy(&word, p, 4);
  return word;
}

// Equality of short runs without a call into libc; keys of fields are 5 to 30 bytes.
inline bool same_bytes(const char* a, const char* b, std::size_t n) {
  if (n >= 8) {
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) {
      if (load64(a + i) != load64(b + i)) return false;
    }
    return load64(a + n - 8) == load64(b + n - 8);
  }
  if (n >= 4) return load32(a) == load32(b) && load32(a + n - 4) == load32(b + n - 4);
  for (std::size_t i = 0; i < n; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

// The first of two bytes in [p, end), or end.
inline const char* find_either(const char* p, const char* end, char first, char second) {
#if defined(__SSE2__)
  const __m128i x = _mm_set1_epi8(first);
  const __m128i y = _mm_set1_epi8(second);
  for (; end - p >= 16; p += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const int hit = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(block, x), _mm_cmpeq_epi8(block, y)));
    if (hit != 0) return p + __builtin_ctz(static_cast<unsigned>(hit));
  }
#endif
  while (p < end && *p != first && *p != second) ++p;
  return p;
}

// Seeded multiply-and-fold hash: a writer who chooses the keys must not be able to choose collisions.
std::uint64_t hash_bytes(const char* p, std::size_t n);

struct SeededHash {
  std::size_t operator()(std::string_view text) const { return hash_bytes(text.data(), text.size()); }
};

bool is_ascii(const char* p, std::size_t n);

// Append [p, p+n) to `out` as valid UTF-8; every maximal ill-formed part becomes one U+FFFD,
// which is what Python's decoder does with errors="replace".
void append_utf8(std::string& out, const char* p, std::size_t n);

// True when append_utf8 would change nothing.
bool is_utf8(const char* p, std::size_t n);

// Append without the backslashes that stand before one of `specials`.
void append_unescaped(std::string& out, std::string_view raw, std::string_view specials);

}  // namespace fluxkeep
