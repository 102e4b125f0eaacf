#include "text.hpp"

#include <random>

namespace fluxkeep {
namespace {

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct Seed {
  std::uint64_t a, b, c;
  Seed() {
    std::random_device device;
    const auto word = [&device] { return (static_cast<std::uint64_t>(device()) << 32) | device(); };
    a = word() | 1;
    b = word() | 1;
    c = word() | 1;
  }
};

const Seed seed;

// Length of the well-formed sequence at p, or 0; `part` is then the length of the ill-formed part.
std::size_t sequence(const unsigned char* p, std::size_t left, std::size_t& part) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    part = 1;
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= left || p[i] < low || p[i] > high) {
      part = i;
      return 0;
    }
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

}  // namespace

std::uint64_t hash_bytes(const char* p, std::size_t n) {
  std::uint64_t state = seed.a ^ n;
  std::size_t left = n;
  for (; left > 16; left -= 16, p += 16) state = fold(load64(p) ^ seed.b, load64(p + 8) ^ state);
  std::uint64_t x = 0;
  std::uint64_t y = 0;
  if (left >= 8) {
    x = load64(p);
    y = load64(p + left - 8);
  } else if (left >= 4) {
    x = load32(p);
    y = load32(p + left - 4);
  } else {
    for (std::size_t i = 0; i < left; ++i) x = (x << 8) | static_cast<unsigned char>(p[i]);
  }
  return fold(fold(x ^ seed.b, y ^ state) ^ seed.c, seed.b);
}

bool is_ascii(const char* p, std::size_t n) {
  std::uint64_t high = 0;
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) high |= load64(p + i);
  for (; i < n; ++i) high |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i]));
  return (high & 0x8080808080808080ULL) == 0;
}

bool is_utf8(const char* p, std::size_t n) {
  if (is_ascii(p, n)) return true;
  const auto* bytes = reinterpret_cast<const unsigned char*>(p);
  std::size_t part = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t length = sequence(bytes + i, n - i, part);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void append_utf8(std::string& out, const char* p, std::size_t n) {
  if (is_utf8(p, n)) {
    out.append(p, n);
    return;
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(p);
  std::size_t part = 0;
  for (std::size_t i = 0; i < n;) {
    const std::size_t length = sequence(bytes + i, n - i, part);
    if (length == 0) {
      out.append("\xEF\xBF\xBD", 3);
      i += part;
    } else {
      out.append(p + i, length);
      i += length;
    }
  }
}

void append_unescaped(std::string& out, std::string_view raw, std::string_view specials) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\' && i + 1 < raw.size() && specials.find(raw[i + 1]) != std::string_view::npos) ++i;
    out.push_back(raw[i]);
  }
}

}  // namespace fluxkeep
