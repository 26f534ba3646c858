#include "gateway/certificate_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <ctime>
#include <memory>

#include <fmt/format.h>

#include "base/event_time.h"
#include "base/files.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;

constexpr std::uint64_t kPemBytesMax = 4U << 20;  // the system's bundle of authorities has 0.2 MiB

struct Release {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// Without this a key with a passphrase would ask for it on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

base::Result<std::unique_ptr<X509, Release>> load_certificate(const std::string& path) {
  STILLWATCH_TRY(text, base::read_file(path, kPemBytesMax));
  const std::unique_ptr<BIO, Release> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  std::unique_ptr<X509, Release> certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (!certificate) return base::fail(Fault::caller, fmt::format("{} holds no certificate in PEM form", path));
  return certificate;
}

std::int64_t to_us(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<std::int64_t>(timegm(&parts)) * base::kSecondUs;
}

}  // namespace

base::Result<CertificateDates> read_certificate(const std::string& path) {
  STILLWATCH_TRY(certificate, load_certificate(path));
  return CertificateDates{to_us(X509_get0_notBefore(certificate.get())), to_us(X509_get0_notAfter(certificate.get()))};
}

base::Status check_private_key(const std::string& key_path, const std::string& certificate_path) {
  STILLWATCH_TRY(certificate, load_certificate(certificate_path));
  struct stat status {};
  if (::stat(key_path.c_str(), &status) == 0 && (status.st_mode & 007) != 0) {
    return base::fail(Fault::caller, fmt::format("{} can be read by every user; run chmod 600 on it", key_path));
  }
  STILLWATCH_TRY(text, base::read_file(key_path, kPemBytesMax));
  const std::unique_ptr<BIO, Release> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const std::unique_ptr<EVP_PKEY, Release> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  const bool belongs = key != nullptr && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  OPENSSL_cleanse(text.data(), text.size());
  if (!key) {
    return base::fail(Fault::caller, fmt::format("{} holds no private key in PEM form without a passphrase", key_path));
  }
  if (!belongs) {
    return base::fail(Fault::caller, fmt::format("{} is not the key of {}", key_path, certificate_path));
  }
  return {};
}

}  // namespace stillwatch::gateway
