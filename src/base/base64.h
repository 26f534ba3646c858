// Base64 (RFC 4648 section 4, with padding) for the fingerprint field.
// Threads: pure functions. Cost: about 1 ns a byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::base {

std::string base64_encode(std::span<const std::uint8_t> bytes);

/// Nothing when the text is not canonical base64.
std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);

}  // namespace stillwatch::base
