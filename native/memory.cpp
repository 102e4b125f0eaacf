#include "memory.hpp"

namespace fluxkeep {
namespace {

std::atomic<std::uint64_t> generations{0};

}  // namespace

SeriesGeneration::SeriesGeneration() : id_(generations.fetch_add(1)), table_(1024, nullptr) {}

KnownSeries** SeriesGeneration::slot(std::string_view raw, std::uint64_t hash) {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  while (table_[at] != nullptr &&
         (table_[at]->hash != hash || table_[at]->raw.size() != raw.size() ||
          !same_bytes(table_[at]->raw.data(), raw.data(), raw.size()))) {
    at = (at + 1) & mask;
  }
  return &table_[at];
}

KnownSeries* SeriesGeneration::find(std::string_view raw, std::uint64_t hash) {
  const std::lock_guard<std::mutex> held(mutex_);
  return *slot(raw, hash);
}

KnownSeries* SeriesGeneration::add(std::string_view raw, std::uint64_t hash, std::string measurement,
                                   std::string tags, bool plain) {
  const std::lock_guard<std::mutex> held(mutex_);
  if (KnownSeries* known = *slot(raw, hash)) return known;
  if ((entries_.size() + 1) * 2 > table_.size()) {
    std::vector<KnownSeries*> larger(table_.size() * 2, nullptr);
    table_.swap(larger);
    for (KnownSeries& entry : entries_) *slot(entry.raw, entry.hash) = &entry;
  }
  std::string name;
  const auto size = static_cast<std::uint32_t>(measurement.size());
  name.append(reinterpret_cast<const char*>(&size), sizeof size);
  name += measurement;
  name += tags;
  // Key, packed name, their copy in the index, Python's tuples and strings; and what each of those costs empty.
  nbytes_ += raw.size() + 2 * name.size() + 2 * tags.size() + 512;
  entries_.emplace_back(raw, hash, std::move(measurement), std::move(tags), plain);
  KnownSeries& entry = entries_.back();
  const auto [found, added] = by_name_.emplace(std::move(name), &entry);
  entry.canonical = found->second;
  if (added) entry.number = numbers_[entry.measurement]++;
  *slot(raw, hash) = &entry;
  return &entry;
}

std::size_t SeriesGeneration::count() {
  const std::lock_guard<std::mutex> held(mutex_);
  return entries_.size();
}

std::size_t SeriesGeneration::nbytes() {
  const std::lock_guard<std::mutex> held(mutex_);
  return nbytes_;
}

}  // namespace fluxkeep
