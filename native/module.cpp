// What Python sees of the scanner: functions that take bytes and give columns.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <deque>
#include <memory>
#include <utility>

#include "scanner.hpp"

namespace nb = nanobind;
using namespace fluxkeep;

namespace {

// Hand an array to numpy without copying; it is cut to its length first.
template <typename T, typename Stored>
nb::object to_numpy(Array<Stored>& array, std::size_t count) {
  array.resize(count);
  void* data = array.release();
  nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(data, {count}, owner));
}

// Python strings of names and tag values, each made once for a request. The texts must stay where
// they are while this lives.
class Texts {
 public:
  // Borrowed from here.
  PyObject* get(std::string_view text) {
    nb::object& known = known_[text];
    if (!known.is_valid()) {
      known = nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
      if (!known.is_valid()) throw nb::python_error();
    }
    return known.ptr();
  }

 private:
  std::unordered_map<std::string_view, nb::object, SeededHash> known_;
};

nb::object new_tuple(std::size_t size) {
  nb::object made = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(size)));
  if (!made.is_valid()) throw nb::python_error();
  return made;
}

void set_item(const nb::object& tuple, std::size_t at, nb::object item) {
  PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(at), item.release().ptr());
}

nb::object tags_of(const std::string& packed, Texts& texts) {
  std::array<std::string_view, 2> pair;
  std::vector<std::array<std::string_view, 2>> pairs;
  for (std::size_t at = 0; at < packed.size();) {
    for (std::string_view& text : pair) {
      std::uint32_t size;
      std::memcpy(&size, packed.data() + at, sizeof size);
      text = std::string_view(packed).substr(at + sizeof size, size);
      at += sizeof size + size;
    }
    pairs.push_back(pair);
  }
  nb::object tags = new_tuple(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    nb::object tag = new_tuple(2);
    set_item(tag, 0, nb::borrow(texts.get(pairs[i][0])));
    set_item(tag, 1, nb::borrow(texts.get(pairs[i][1])));
    set_item(tags, i, std::move(tag));
  }
  return tags;
}

// Series known from one request to the next. Past its limits a generation is retired whole: that
// costs no bookkeeping on the way, and a server with more series than that learns them again. What
// it held is let go a little with each request, since all at once would stop every thread for long.
class SeriesMemory {
 public:
  SeriesMemory(nb::object series_type, std::size_t series_max, std::size_t bytes_max)
      : series_type_(std::move(series_type)), series_max_(series_max), bytes_max_(bytes_max) {}
  SeriesMemory(const SeriesMemory&) = delete;
  SeriesMemory& operator=(const SeriesMemory&) = delete;
  ~SeriesMemory() {
    if (current_) retired_.push_back({std::move(current_), 0});
    for (Retired& old : retired_) release(old, old.generation->entries().size());
  }

  // The interpreter lock is held here and wherever an object is touched.
  std::shared_ptr<SeriesGeneration> current() {
    if (!current_ || current_->count() >= series_max_ || current_->nbytes() >= bytes_max_) {
      if (current_) retired_.push_back({std::move(current_), 0});
      current_ = std::make_shared<SeriesGeneration>();
    }
    // A scanner that still runs may read a retired generation; it waits for its turn.
    if (!retired_.empty() && retired_.front().generation.use_count() == 1) {
      if (release(retired_.front(), released_at_once)) {
        Retired empty = std::move(retired_.front());
        retired_.pop_front();
        nb::gil_scoped_release unlocked;
        empty.generation.reset();
      }
    }
    return current_;
  }

  nb::object object_of(KnownSeries& series, Texts& texts) {
    if (series.object == nullptr) {
      nb::object tags = tags_of(series.tags, texts);
      PyObject* const arguments[] = {texts.get(series.measurement), tags.ptr()};
      nb::object made = nb::steal(PyObject_Vectorcall(series_type_.ptr(), arguments, 2, nullptr));
      if (!made.is_valid()) throw nb::python_error();
      // Making it may have run other code that made it too.
      if (series.object == nullptr) series.object = made.release().ptr();
    }
    return nb::borrow(static_cast<PyObject*>(series.object));
  }

  std::size_t size() { return current_ ? current_->count() : 0; }

 private:
  static constexpr std::size_t released_at_once = 2'000;

  struct Retired {
    std::shared_ptr<SeriesGeneration> generation;
    std::size_t done;
  };

  // Drop up to `count` more objects; true when none is left.
  static bool release(Retired& old, std::size_t count) {
    std::deque<KnownSeries>& entries = old.generation->entries();
    for (; count > 0 && old.done < entries.size(); --count) {
      PyObject* object = static_cast<PyObject*>(std::exchange(entries[old.done++].object, nullptr));
      Py_XDECREF(object);
    }
    return old.done == entries.size();
  }

  nb::object series_type_;
  std::size_t series_max_;
  std::size_t bytes_max_;
  std::shared_ptr<SeriesGeneration> current_;
  std::deque<Retired> retired_;
};

nb::tuple column_of(Part& part, Column& column, Texts& texts) {
  column.reach(part.rows);
  nb::object values;
  switch (column.type) {
    case FieldType::Float:
      values = to_numpy<double>(column.words, part.rows);
      break;
    case FieldType::Integer:
      values = to_numpy<std::int64_t>(column.words, part.rows);
      break;
    case FieldType::Unsigned:
      values = to_numpy<std::uint64_t>(column.words, part.rows);
      break;
    case FieldType::Boolean:
      values = to_numpy<bool>(column.truths, part.rows);
      break;
    case FieldType::String:
      values = nb::make_tuple(to_numpy<std::int64_t>(column.offsets, part.rows + std::size_t{1}),
                              nb::bytes(column.text.data(), column.text.size()));
      break;
  }
  nb::object valid = nb::none();
  if (!column.valid.empty()) valid = to_numpy<bool>(column.valid, part.rows);
  return nb::make_tuple(nb::borrow(texts.get(part.fields[column.name].name)), static_cast<int>(column.type), values, valid);
}

nb::list parts_of(Scanner& scanner, SeriesMemory& memory) {
  Texts texts;
  nb::list parts;
  for (const std::unique_ptr<Part>& held : scanner.parts) {
    Part& part = *held;
    const nb::object measurement = nb::borrow(texts.get(scanner.measurements[part.measurement]));
    nb::object series = new_tuple(part.series.size());
    for (std::size_t i = 0; i < part.series.size(); ++i) set_item(series, i, memory.object_of(*part.series[i], texts));
    Array<std::uint32_t> numbers;
    numbers.resize(part.series.size());
    for (std::size_t i = 0; i < part.series.size(); ++i) numbers[i] = part.series[i]->number;
    nb::list columns;
    for (Column& column : part.columns) columns.append(column_of(part, column, texts));
    parts.append(nb::make_tuple(measurement, series, to_numpy<std::uint32_t>(numbers, part.series.size()), to_numpy<std::uint32_t>(part.series_index, part.rows),
                                to_numpy<std::int64_t>(part.time, part.rows),
                                to_numpy<std::uint32_t>(part.line, part.rows), nb::tuple(columns)));
  }
  return parts;
}

nb::tuple scan(nb::bytes body, std::int64_t unit_ns, std::int64_t default_time_ns, std::size_t line_bytes_max,
               std::size_t errors_max, std::size_t excerpt_bytes_max, SeriesMemory& memory) {
  const std::shared_ptr<SeriesGeneration> known = memory.current();
  Scanner scanner(body.size(), unit_ns, {line_bytes_max, errors_max, excerpt_bytes_max}, *known);
  {
    nb::gil_scoped_release unlocked;
    scanner.scan({body.c_str(), body.size()}, default_time_ns);
  }
  nb::list errors;
  for (const LineError& error : scanner.errors) {
    errors.append(nb::make_tuple(error.line, nb::bytes(error.excerpt.data(), error.excerpt.size()), error.clipped,
                                 nb::bytes(error.reason.data(), error.reason.size())));
  }
  return nb::make_tuple(parts_of(scanner, memory), errors, scanner.error_count, known->id());
}

nb::tuple scan_all(std::vector<nb::bytes> bodies, std::int64_t unit_ns, std::vector<std::int64_t> default_times_ns,
                   std::size_t line_bytes_max, SeriesMemory& memory) {
  if (bodies.size() != default_times_ns.size()) throw nb::value_error("a time for each body");
  std::vector<std::string_view> texts;
  std::size_t bytes = 0;
  for (const nb::bytes& body : bodies) {
    texts.emplace_back(body.c_str(), body.size());
    bytes += body.size();
  }
  const std::shared_ptr<SeriesGeneration> known = memory.current();
  Scanner scanner(bytes, unit_ns, {line_bytes_max, 0, 0}, *known);
  std::vector<std::uint32_t> ends;
  ends.reserve(texts.size());
  {
    nb::gil_scoped_release unlocked;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      scanner.scan(texts[i], default_times_ns[i]);
      ends.push_back(scanner.points());
    }
  }
  return nb::make_tuple(parts_of(scanner, memory), ends, known->id());
}

}  // namespace

NB_MODULE(_scanner, m) {
  nb::class_<SeriesMemory>(m, "SeriesMemory")
      .def(nb::init<nb::object, std::size_t, std::size_t>(), nb::arg("series_type"), nb::arg("series_max"),
           nb::arg("bytes_max"))
      .def("__len__", &SeriesMemory::size);
  m.def("scan", &scan, nb::arg("body"), nb::arg("unit_ns"), nb::arg("default_time_ns"), nb::arg("line_bytes_max"),
        nb::arg("errors_max"), nb::arg("excerpt_bytes_max"), nb::arg("memory"));
  m.def("scan_all", &scan_all, nb::arg("bodies"), nb::arg("unit_ns"), nb::arg("default_times_ns"),
        nb::arg("line_bytes_max"), nb::arg("memory"));
}
