// PEM files of certificates and keys: whether a TLS listener could use them.
//
// Invariant: nothing of a private key leaves this file, in messages either.
// Threads: pure but for reading files. Cost: milliseconds. Library: OpenSSL 3.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace stillwatch::gateway {

struct CertificateDates {
  std::int64_t begins_us = 0, ends_us = 0;  // of the first certificate of the file
};

/// Caller error when it holds no certificate.
base::Result<CertificateDates> read_certificate(const std::string& path);
/// Caller error when it holds no private key, or one that does not belong to the certificate; a key that others can
/// read too.
base::Status check_private_key(const std::string& key_path, const std::string& certificate_path);

}  // namespace stillwatch::gateway
