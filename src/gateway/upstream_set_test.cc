#include "gateway/upstream_set.h"

#include <gtest/gtest.h>

namespace stillwatch::gateway {
namespace {

TEST(UpstreamSet, EverySettingReachesThePool) {
  settings::Upstream settings;
  settings.name = "one";
  settings.urls = {"http://127.0.0.1:9"};
  settings.connect_ms = 1'001;
  settings.first_byte_ms = 1'002;
  settings.idle_ms = 1'003;
  settings.total_ms = 1'004;
  settings.keep_alive_ms = 1'005;
  settings.connections_max = 1'006;
  settings.idle_connections_max = 1'007;
  Metrics metrics(1, {"one"}, 8);
  boost::asio::io_context io;
  const auto set = UpstreamSet::create(io, {settings}, metrics.shard(0));
  ASSERT_TRUE(set.has_value());
  std::size_t prefix_bytes = 0;
  UpstreamSet::Route* route = (*set)->route("/v1/models", prefix_bytes);
  ASSERT_NE(route, nullptr);
  UpstreamSet::Target* target = (*set)->choose(*route, 0);
  ASSERT_NE(target, nullptr);
  const http::UpstreamOptions& options = target->pool->options();
  EXPECT_EQ(options.address, "127.0.0.1:9");
  EXPECT_EQ(options.connect_ms, 1'001);
  EXPECT_EQ(options.first_byte_ms, 1'002);
  EXPECT_EQ(options.idle_ms, 1'003);
  EXPECT_EQ(options.total_ms, 1'004);
  EXPECT_EQ(options.keep_ms, 1'005);
  EXPECT_EQ(options.connections_max, 1'006U);
  EXPECT_EQ(options.idle_max, 1'007U);
}

}  // namespace
}  // namespace stillwatch::gateway
