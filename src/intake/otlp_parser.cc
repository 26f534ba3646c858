// OTLP exports as a log, one a line, as the collector's file exporter writes them: --format=otlp. A line is one record
// here, so the collector must not batch calls (send_batch_max_size: 1); a line with several is refused, not half read.
#include <string>

#include "intake/body_reader.h"
#include "intake/line_parser.h"
#include "intake/otlp.h"

namespace stillwatch::intake {
namespace {

class OtlpParser final : public LineParser {
 public:
  OtlpParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : native_(make_query_parser(keyed_hash, identities)) {}

  void parse(std::string_view line, ParsedLine& out) override {
    if (is_blank(line)) return native_->parse(line, out);
    std::size_t records = 0;
    record_.clear();
    const std::uint64_t nameless = reader_.counters().without_account;
    const auto refusal = reader_.read(line, [&](std::string_view record) {
      if (++records == 1) record_.assign(record);
    });
    if (refusal) return refuse_line(line, *refusal, out);
    if (records > 1) return refuse_line(line, {RejectReason::too_many, "spans"}, out);
    if (records == 0 && reader_.counters().without_account > nameless)
      return refuse_line(line, {RejectReason::missing_field, "user.id"}, out);
    if (records == 0) {
      // Nothing of it is a call of a model: no record, and no fault.
      native_->parse("", out);
      return;
    }
    const std::size_t size = record_.size();
    record_.append(kJsonPadding, ' ');
    native_->parse(std::string_view(record_).substr(0, size), out);
    out.query.line_bytes = line_bytes(line.size());
  }

  void refuse(std::string_view, std::uint64_t size, RejectReason reason, ParsedLine& out) override {
    native_->refuse("", size, reason, out);
  }

  bool keep_raw(RawRecord* raw) override { return native_->keep_raw(raw); }
  NewIds& new_ids() override { return native_->new_ids(); }
  ParserCounters counters() const override { return native_->counters(); }

 private:
  static std::uint32_t line_bytes(std::size_t size) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(size, UINT32_MAX));
  }
  void refuse_line(std::string_view line, Refusal refusal, ParsedLine& out) {
    native_->refuse("", line.size(), refusal.reason, out);
    out.refusal = refusal;
  }

  std::unique_ptr<LineParser> native_;
  OtlpReader reader_;
  std::string record_;
};

}  // namespace

std::unique_ptr<LineParser> make_otlp_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities) {
  return std::make_unique<OtlpParser>(keyed_hash, identities);
}

}  // namespace stillwatch::intake
