// Result<T>: a value, or an Error that says whose fault it is and what to do next.
//
// Invariant: an Error's message is one sentence a user can act on: it names the file or the place
// and the next step. Exceptions of libraries stop in the file that wraps the library.
// Threads: plain values. Cost: an error allocates its message, a value costs nothing.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace stillwatch::base {

/// Whose fault an error is. The command line maps it to the exit code of docs/reference/commands.md.
enum class Fault : std::uint8_t {
  caller,       // bad arguments or configuration: exit 2
  input,        // bad or too much bad input: exit 3 (a single bad line is a reject, not an Error)
  environment,  // disk, permission, peer: exit 4
  check,        // a check that was asked for did not hold: exit 1
  ours,         // a bug
};

struct Error {
  Fault fault = Fault::ours;
  std::string message;
  bool retry = false;  // the same call may succeed later
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> fail(Fault fault, std::string message, bool retry = false) {
  return tl::unexpected<Error>(Error{fault, std::move(message), retry});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// Exit code of the command line contract for an error.
constexpr int exit_code(Fault fault) {
  switch (fault) {
    case Fault::check: return 1;
    case Fault::caller: return 2;
    case Fault::input: return 3;
    case Fault::environment: return 4;
    case Fault::ours: return 70;
  }
  return 70;
}

}  // namespace stillwatch::base

/// Evaluates a Result; on error returns it from the enclosing function.
#define STILLWATCH_TRY(variable, expression)                                                     \
  auto variable##_result = (expression);                                                         \
  if (!variable##_result) return ::stillwatch::base::fail(std::move(variable##_result).error()); \
  auto variable = std::move(*variable##_result)
/// The same in a coroutine.
#define STILLWATCH_CO_CHECK(expression)                                                            \
  do {                                                                                             \
    auto status_of_check = (expression);                                                           \
    if (!status_of_check) co_return ::stillwatch::base::fail(std::move(status_of_check).error()); \
  } while (false)
#define STILLWATCH_CHECK(expression)                                                           \
  do {                                                                                         \
    auto status_of_check = (expression);                                                       \
    if (!status_of_check) return ::stillwatch::base::fail(std::move(status_of_check).error()); \
  } while (false)
