#include "http/tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace stillwatch::http {
namespace {

using base::Fault;

std::string openssl_words() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* words = code == 0 ? nullptr : ERR_reason_error_string(code);
  return words == nullptr ? "no further reason" : words;
}

// A BIO of our own instead of OpenSSL's, whose write() would raise SIGPIPE.
int socket_of(BIO* bio) { return *static_cast<const int*>(BIO_get_data(bio)); }

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(socket_of(bio), from, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(socket_of(bio), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    BIO_meth_set_create(made, bio_create);
    return made;
  }();
  return method;
}

/// Offers of other protocols than HTTP/1.1 are not taken; a client that offers nothing gets it too.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned int in_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOurs, sizeof kOurs - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

TlsContext new_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return context;
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

base::Status load_identity(SSL_CTX* context, const std::string& certificate, const std::string& key) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return base::fail(Fault::caller, fmt::format("cannot read the certificate {} ({}); it must be PEM, leaf first",
                                                 certificate, openssl_words()));
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return base::fail(Fault::caller, fmt::format("cannot use the key {} for the certificate {} ({}); it must be its "
                                                 "private key in PEM",
                                                 key, certificate, openssl_words()));
  return {};
}

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string out(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  // A NUL or a line end in a name is a trick against whoever compares or prints it.
  for (const char c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return {};
  return out;
}

}  // namespace

base::Result<TlsContext> server_context(const ServerTls& options) {
  TlsContext context = new_context(TLS_server_method());
  if (!context) return base::fail(Fault::ours, "OpenSSL gives no TLS context");
  STILLWATCH_CHECK(load_identity(context.get(), options.certificate_file, options.key_file));
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  static constexpr unsigned char kSessionName[] = "stillwatch";
  SSL_CTX_set_session_id_context(context.get(), kSessionName, sizeof kSessionName - 1);
  if (options.client_ca_file.empty()) {
    if (options.require_client_certificate)
      return base::fail(Fault::caller, "client certificates are required but no client CA file is given; name one");
    return context;
  }
  // A resumed session would outlive a reload of the CA file: each connection proves itself anew.
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  const char* file = options.client_ca_file.c_str();
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file);
  if (names == nullptr || SSL_CTX_load_verify_locations(context.get(), file, nullptr) != 1)
    return base::fail(Fault::caller, fmt::format("cannot read the client CA file {} ({}); it must be PEM",
                                                 options.client_ca_file, openssl_words()));
  SSL_CTX_set_client_CA_list(context.get(), names);
  SSL_CTX_set_verify(context.get(),
                     SSL_VERIFY_PEER | (options.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return context;
}

base::Result<TlsContext> client_context(const UpstreamTls& options) {
  TlsContext context = new_context(TLS_client_method());
  if (!context) return base::fail(Fault::ours, "OpenSSL gives no TLS context");
  if (options.verify) {
    const bool loaded = options.ca_file.empty()
                            ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                            : SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) == 1;
    if (!loaded)
      return base::fail(Fault::caller, fmt::format("cannot read the CA file {} ({}); it must be PEM", options.ca_file,
                                                   openssl_words()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  if (!options.certificate_file.empty())
    STILLWATCH_CHECK(load_identity(context.get(), options.certificate_file, options.key_file));
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context.get(), kProtocols, sizeof kProtocols - 1);
  return context;
}

TlsSession::TlsSession(const TlsContext& context, int socket, bool server, const std::string& name, bool verify)
    : socket_(socket), ssl_(SSL_new(context.get())) {
  if (ssl_ == nullptr) {
    broken_ = true;
    return;
  }
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, &socket_);
  SSL_set_bio(ssl_, bio, bio);
  if (server) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  unsigned char address[sizeof(in6_addr)];
  const bool numeric =
      ::inet_pton(AF_INET, name.c_str(), address) == 1 || ::inet_pton(AF_INET6, name.c_str(), address) == 1;
  if (!numeric && !name.empty()) SSL_set_tlsext_host_name(ssl_, name.c_str());
  if (!verify) return;
  // Without a name to check any certificate of the CA would do.
  const int set = name.empty() ? 0
                  : numeric    ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str())
                               : SSL_set1_host(ssl_, name.c_str());
  broken_ = set != 1;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

TlsIo TlsSession::result_of(int code) {
  switch (SSL_get_error(ssl_, code)) {
    case SSL_ERROR_NONE: return TlsIo::ok;
    case SSL_ERROR_WANT_READ: return TlsIo::want_read;
    case SSL_ERROR_WANT_WRITE: return TlsIo::want_write;
    case SSL_ERROR_ZERO_RETURN: return TlsIo::end;
    default: break;
  }
  broken_ = true;
  const long verified = SSL_get_verify_result(ssl_);
  failure_ = openssl_words();
  if (verified != X509_V_OK) failure_ = X509_verify_cert_error_string(verified);
  return TlsIo::broken;
}

TlsIo TlsSession::handshake() {
  if (broken_) return TlsIo::broken;
  ERR_clear_error();
  return result_of(SSL_do_handshake(ssl_));
}

TlsIo TlsSession::read(char* into, std::size_t size, std::size_t& count) {
  if (broken_) return TlsIo::broken;
  ERR_clear_error();
  return result_of(SSL_read_ex(ssl_, into, size, &count));
}

TlsIo TlsSession::write(const char* from, std::size_t size, std::size_t& count) {
  count = 0;
  if (broken_) return TlsIo::broken;
  ERR_clear_error();
  return result_of(SSL_write_ex(ssl_, from, size, &count));
}

TlsIo TlsSession::peek() {
  if (broken_) return TlsIo::broken;
  ERR_clear_error();
  char byte = 0;
  std::size_t count = 0;
  return result_of(SSL_peek_ex(ssl_, &byte, 1, &count));
}

void TlsSession::close_notify() {
  if (broken_ || SSL_is_init_finished(ssl_) == 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string TlsSession::failure() const { return failure_; }

void TlsSession::describe_peer(Peer& peer) const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1) peer.certificate_sha256 = hexadecimal(digest, size);
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) peer.certificate_name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    const char* kind = name->type == GEN_DNS     ? "DNS:"
                       : name->type == GEN_URI   ? "URI:"
                       : name->type == GEN_EMAIL ? "email:"
                                                 : nullptr;
    if (kind == nullptr) continue;
    const std::string text = text_of(name->d.ia5);
    if (!text.empty()) peer.certificate_alternatives.push_back(kind + text);
  }
  GENERAL_NAMES_free(names);
}

}  // namespace stillwatch::http
