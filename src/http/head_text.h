// Heads as bytes on the wire.
//
// Invariant: framing is written from the members of the head, exactly once; fields named connection, content-length,
// transfer-encoding and keep-alive are not copied. Threads: pure functions. Cost: one append a field.
#pragma once

#include <cstdint>
#include <string>

#include "http/message.h"

namespace stillwatch::http {

/// Appends. Framing: chunked, content_length, or none. Control bytes and spaces in method or target make it fail
/// (false): such a head would be two.
bool append_request_head(const RequestHead& head, std::string& out);

/// Appends. `keep_alive` decides the connection field; `version_minor` is the request's.
void append_response_head(const ResponseHead& head, bool keep_alive, int version_minor, std::string& out);

/// "1a\r\n"
void append_chunk_size(std::uint64_t size, std::string& out);

}  // namespace stillwatch::http
