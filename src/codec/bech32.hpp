// Bech32 (BIP-173) without its limit of 90 characters, as age writes its keys: a readable prefix, "1", the data in
// groups of five bits, and a checksum over the lower-case form. No buffer of its own, so a secret key is only where the
// caller put it.
#pragma once

#include "util/bytes.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace cairn::bech32 {

// Characters that encode() writes.
std::size_t encoded_size(std::size_t prefix_size, std::size_t data_size) noexcept;

// The prefix is all lower or all upper case and decides the case of the whole. out has exactly encoded_size() places.
void encode(std::string_view prefix, ByteView data, std::span<char> out) noexcept;

// Decodes a text that has exactly this prefix, in this case, and data that fills `out` exactly. Answers what is wrong
// with it, without a word of it, or nothing; out then holds the data. Accepted data has one spelling only: padding
// bits are zero.
std::optional<std::string_view> decode(std::string_view text, std::string_view prefix, ByteSpan out) noexcept;

}  // namespace cairn::bech32
