// For tests: a time stamping authority made of `openssl ts`, with a CA of its own.
//
// Invariant: every answer comes from the openssl program, not from our code. Threads: answer() from any.
// Cost: making one takes about a second (RSA keys), an answer 10 ms.
#pragma once

#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include "audit/audit_fixture.h"
#include "base/files.h"

namespace stillwatch::audit {

class OpensslAuthority {
 public:
  OpensslAuthority() {
    const auto configured =
        base::write_file(folder_ / "ts.cnf",
                         "[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\n[stamper]\n"
                         "basicConstraints=CA:false\nkeyUsage=critical,digitalSignature\n"
                         "extendedKeyUsage=critical,timeStamping\n[tsa]\ndefault_tsa=tsa1\n[tsa1]\n"
                         "serial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ncerts=ca.pem\n"
                         "default_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=no\ntsa_name=no\n"
                         "ess_cert_id_chain=no\ness_cert_id_alg=sha256\n");
    ready_ = configured &&
             run("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 "
                 "-subj /CN=TestCA -config ts.cnf -extensions ca") &&
             run("openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=TestTSA -config ts.cnf") &&
             run("openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 30 "
                 "-extfile ts.cnf -extensions stamper");
  }

  bool ready() const { return ready_; }
  std::string ca_file() const { return folder_ / "ca.pem"; }
  std::string folder() const { return folder_.path(); }

  /// What the openssl program answers to the DER request; empty when it fails.
  std::string answer(std::string_view query) const {
    const std::lock_guard lock(mutex_);
    if (!base::write_file(folder_ / "q.tsq", query)) return {};
    if (!run("openssl ts -reply -config ts.cnf -section tsa1 -queryfile q.tsq -out r.tsr")) return {};
    return base::read_file(folder_ / "r.tsr", 1U << 20).value_or("");
  }
  /// Runs a shell command in the authority's folder.
  bool run(const std::string& command) const {
    const std::string line = "cd '" + folder_.path() + "' && ( " + command + " ) >>openssl.log 2>&1";
    return std::system(line.c_str()) == 0;
  }

 private:
  ScratchFolder folder_;
  mutable std::mutex mutex_;  // one set of files
  bool ready_ = false;
};

}  // namespace stillwatch::audit
