// Which fields each kind of leaf has, in which order: the one place that the writer and the reader share.
//
// Internal to this module. Invariant: visiting a leaf calls visitor.field(key, value) once for each key behind "v" and
// "k", in the order of the bytes. Threads: pure. Cost: none of its own. Spec: docs/reference/audit-log.md, "Leaves".
#pragma once

#include <string_view>
#include <type_traits>

#include "ledger/leaf.h"

namespace stillwatch::ledger {

template <class L>
constexpr std::string_view kKindName = "";
template <>
inline constexpr std::string_view kKindName<QueryLeaf> = "query";
template <>
inline constexpr std::string_view kKindName<DecisionLeaf> = "decision";
template <>
inline constexpr std::string_view kKindName<PolicyLeaf> = "policy";
template <>
inline constexpr std::string_view kKindName<CalibrationLeaf> = "calibration";
template <>
inline constexpr std::string_view kKindName<KeyLeaf> = "key";
template <>
inline constexpr std::string_view kKindName<AccessLeaf> = "access";
template <>
inline constexpr std::string_view kKindName<ExportLeaf> = "export";
template <>
inline constexpr std::string_view kKindName<HoldLeaf> = "hold";
template <>
inline constexpr std::string_view kKindName<EraseLeaf> = "erase";
template <>
inline constexpr std::string_view kKindName<GapLeaf> = "gap";
template <>
inline constexpr std::string_view kKindName<OpenLeaf> = "open";
template <>
inline constexpr std::string_view kKindName<CloseLeaf> = "close";

/// A text that customers choose: cut by the writer instead of refused.
template <class S>
struct CustomerText {
  S& text;
};

/// `leaf` is const for the writer.
template <class Visitor, class L>
void visit_fields(Visitor& visitor, L& leaf) {
  using Kind = std::remove_const_t<L>;
  visitor.field("t", leaf.time_ms);
  if constexpr (std::is_same_v<Kind, QueryLeaf>) {
    visitor.field("id", leaf.id);
    visitor.field("tn", leaf.tenant);
    visitor.field("ak", leaf.account);
    visitor.field("md", CustomerText<std::remove_reference_t<decltype((leaf.model))>>{leaf.model});
    visitor.field("ep", CustomerText<std::remove_reference_t<decltype((leaf.endpoint))>>{leaf.endpoint});
    visitor.field("in", leaf.tokens_in);
    visitor.field("out", leaf.tokens_out);
    visitor.field("cp", leaf.payload_plain);
    visitor.field("ch", leaf.payload_blob);
    visitor.field("kp", leaf.payload_key);
    visitor.field("dv", leaf.scores);
    visitor.field("ac", leaf.action);
    visitor.field("pv", leaf.policy);
    visitor.field("rc", leaf.record);
  } else if constexpr (std::is_same_v<Kind, DecisionLeaf>) {
    visitor.field("id", leaf.id);
    visitor.field("ak", leaf.account);
    visitor.field("sk", leaf.subject);
    visitor.field("rule", leaf.rule);
    visitor.field("level", leaf.level);
    visitor.field("class", leaf.class_);
    visitor.field("campaign", leaf.campaign);
    visitor.field("dry", leaf.is_dry_run);
    visitor.field("auto", leaf.is_automatic);
    visitor.field("vh", leaf.verdict);
    visitor.field("sw", leaf.software);
    visitor.field("cf", leaf.configuration);
    visitor.field("cal", leaf.calibration);
    visitor.field("in", leaf.inputs);
    visitor.field("st", leaf.state);
    visitor.field("pv", leaf.policy);
  } else if constexpr (std::is_same_v<Kind, PolicyLeaf>) {
    visitor.field("pv", leaf.policy);
    visitor.field("sw", leaf.software);
    visitor.field("cf", leaf.configuration);
    visitor.field("cal", leaf.calibration);
    visitor.field("rt", leaf.retention);
  } else if constexpr (std::is_same_v<Kind, CalibrationLeaf>) {
    visitor.field("cal", leaf.calibration);
    visitor.field("from", leaf.from_ms);
    visitor.field("to", leaf.to_ms);
    visitor.field("groups", leaf.groups);
  } else if constexpr (std::is_same_v<Kind, KeyLeaf>) {
    visitor.field("vkey", leaf.vkey);
  } else if constexpr (std::is_same_v<Kind, AccessLeaf>) {
    visitor.field("id", leaf.id);
    visitor.field("kp", leaf.key);
    visitor.field("by", leaf.by);
    visitor.field("why", leaf.why);
    visitor.field("case", leaf.case_id);
  } else if constexpr (std::is_same_v<Kind, ExportLeaf>) {
    visitor.field("case", leaf.case_id);
    visitor.field("h", leaf.bundle);
    visitor.field("n", leaf.entries);
    visitor.field("by", leaf.by);
  } else if constexpr (std::is_same_v<Kind, HoldLeaf>) {
    visitor.field("case", leaf.case_id);
    visitor.field("on", leaf.is_on);
    visitor.field("h", leaf.terms);
    visitor.field("n", leaf.keys);
    visitor.field("from", leaf.from_ms);
    visitor.field("to", leaf.to_ms);
    visitor.field("by", leaf.by);
  } else if constexpr (std::is_same_v<Kind, EraseLeaf>) {
    visitor.field("why", leaf.why);
    visitor.field("n", leaf.records);
    visitor.field("kp", leaf.keys);
    visitor.field("log", leaf.log);
    visitor.field("min", leaf.index_min);
    visitor.field("by", leaf.by);
  } else if constexpr (std::is_same_v<Kind, GapLeaf>) {
    visitor.field("from", leaf.from_ms);
    visitor.field("to", leaf.to_ms);
    visitor.field("n", leaf.leaves);
    visitor.field("why", leaf.why);
  } else if constexpr (std::is_same_v<Kind, OpenLeaf>) {
    visitor.field("log", leaf.log);
    visitor.field("prev", leaf.previous);
    visitor.field("pc", leaf.previous_end);
  } else {
    static_assert(std::is_same_v<Kind, CloseLeaf>);
    visitor.field("i", leaf.index);
    visitor.field("why", leaf.why);
  }
}

}  // namespace stillwatch::ledger
