// The calls below are deprecated since OpenSSL 3.0 in favour of ones that look the algorithm up: four times the cost of
// a Merkle node. They are not removed, and use the same code with SHA instructions.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/sha256.h"

#include <openssl/sha.h>

#include <cstring>

namespace stillwatch::crypto {
namespace {

static_assert(sizeof(SHA256_CTX) <= sizeof(Sha256) && alignof(SHA256_CTX) <= 8);
static_assert(sizeof(Sha256Digest) == SHA256_DIGEST_LENGTH);

}  // namespace

Sha256Digest sha256(std::string_view bytes) {
  SHA256_CTX context;
  Sha256Digest digest;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

Sha256::Sha256() {
  SHA256_CTX context;
  SHA256_Init(&context);
  std::memcpy(context_.data(), &context, sizeof context);
}

void Sha256::update(std::string_view bytes) {
  SHA256_CTX context;
  std::memcpy(&context, context_.data(), sizeof context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  std::memcpy(context_.data(), &context, sizeof context);
}

Sha256Digest Sha256::finish() {
  SHA256_CTX context;
  std::memcpy(&context, context_.data(), sizeof context);
  Sha256Digest digest;
  SHA256_Final(digest.data(), &context);
  *this = Sha256();
  return digest;
}

}  // namespace stillwatch::crypto
