// Task<T>: a coroutine on one network thread's io_context, and the few ways to start and pause one.
//
// Invariant: a Task runs only on the thread that runs its io_context; between two co_awaits nothing else runs there.
// Threads: spawn() and post() may be called from any thread, everything else from the io_context's own.
// Cost: a Task is one frame from Asio's per-thread cache; the executor type is concrete, nothing is virtual.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>

// g++ 12 takes coroutine frames for memory that is freed by another allocator than its own, where one is inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace stillwatch::http {

template <class T>
using Task = boost::asio::awaitable<T, boost::asio::io_context::executor_type>;

/// Starts the coroutine on the io_context and forgets it. An exception that leaves it is a broken invariant: abort.
/// thrown.
void spawn(boost::asio::io_context& io, Task<void> task);

/// Runs the function on the io_context's thread, soon. From any thread.
void post(boost::asio::io_context& io, std::function<void()> function);

/// Pauses the calling coroutine. False when the server is stopping: then return.
Task<bool> sleep_ms(boost::asio::io_context& io, std::int64_t ms);

/// Milliseconds of the monotonic clock, a few ms coarse. Only for timeouts.
std::int64_t monotonic_ms();

}  // namespace stillwatch::http
