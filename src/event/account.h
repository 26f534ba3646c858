// What the provider knows about an account, without raw identity.
//
// Invariant: as query.h. An AccountUpdate replaces only the fields that its `fields` bits name, from
// its time on (formats: account record).
#pragma once

#include <cstdint>
#include <vector>

#include "event/query.h"

namespace stillwatch::event {

enum class Verification : std::uint8_t { none, email, phone, card, id, org };
enum class Purpose : std::uint8_t { evaluation, research, synthetic_data, distillation, resale, batch };

struct DeclaredUse {
  Purpose purpose = Purpose::evaluation;
  std::int64_t from_us = 0;
  std::int64_t until_us = INT64_MAX;
};

enum AccountField : std::uint16_t {
  kFieldCreated = 1,
  kFieldTier = 2,
  kFieldVerification = 4,
  kFieldOrg = 8,
  kFieldPayment = 16,
  kFieldEmailDomain = 32,
  kFieldSignupAddress = 64,
  kFieldSignupAsn = 128,
  kFieldReferral = 256,
  kFieldDeclared = 512,
};

struct AccountUpdate {
  Token account = 0;
  std::int64_t time_us = 0;
  std::uint16_t fields = 0;
  std::int64_t created_us = 0;
  Token tier = 0;
  Verification verification = Verification::none;
  Token org = 0;  // owner: accounts of one org are one actor
  Token payment = 0;
  Token email_domain = 0;
  Token signup_egress = 0;  // network bucket of the sign-up address
  std::uint32_t signup_asn = 0;
  Token referral = 0;
  std::vector<DeclaredUse> declared;
};

}  // namespace stillwatch::event
