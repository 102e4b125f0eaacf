#include <nanobind/nanobind.h>

NB_MODULE(_scanner, m) { m.attr("format") = 1; }
