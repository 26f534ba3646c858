#include "event/verdict.h"

#include <bit>

namespace stillwatch::event {
namespace {

constexpr std::array<std::string_view, 7> kLevels{"clear",    "observe",  "notice", "verify",
                                                  "throttle", "restrict", "suspend"};
constexpr std::array<std::string_view, 4> kClasses{"unknown", "automation", "reseller", "distiller"};
constexpr std::array<std::string_view, 3> kKinds{"account", "campaign", "end_user"};
constexpr std::array<std::string_view, kChannels> kChannelNames{
    "template",     "prompt",   "handoff", "system", "tools",   "params", "schema",      "timing",     "sharding",
    "distribution", "coverage", "client",  "egress", "payment", "signup", "replacement", "shared_list"};

}  // namespace

std::string_view name(Level level) { return kLevels[static_cast<std::size_t>(level)]; }
std::string_view name(Class class_) { return kClasses[static_cast<std::size_t>(class_)]; }
std::string_view name(SubjectKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::string_view name(Channel channel) { return kChannelNames[static_cast<std::size_t>(channel)]; }

ChannelGroup group_of(Channel channel) {
  switch (channel) {
    case Channel::template_:
    case Channel::prompt:
    case Channel::system:
    case Channel::tools:
    case Channel::params:
    case Channel::schema:
    case Channel::sharding:
    case Channel::distribution:
    case Channel::coverage: return ChannelGroup::content;
    case Channel::handoff: return ChannelGroup::conversation;
    case Channel::timing: return ChannelGroup::time;
    case Channel::client:
    case Channel::egress: return ChannelGroup::software_network;
    case Channel::payment:
    case Channel::signup: return ChannelGroup::identity;
    case Channel::replacement: return ChannelGroup::history;
    case Channel::shared_list: return ChannelGroup::outside;
  }
  return ChannelGroup::outside;
}

int ChannelSet::independent_count() const {
  std::uint32_t groups = 0;
  for (const Channel channel : list()) groups |= 1U << static_cast<unsigned>(group_of(channel));
  return std::popcount(groups);
}

std::vector<Channel> ChannelSet::list() const {
  std::vector<Channel> channels;
  for (unsigned i = 0; i < kChannels; ++i) {
    if ((bits_ >> i & 1U) != 0) channels.push_back(static_cast<Channel>(i));
  }
  return channels;
}

}  // namespace stillwatch::event
