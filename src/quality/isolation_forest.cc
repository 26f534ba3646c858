#include "quality/isolation_forest.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stillwatch::quality {

double usual_depth(std::size_t n) {
  if (n <= 1) return 0;
  if (n == 2) return 1;
  const auto count = static_cast<double>(n);
  constexpr double kEuler = 0.57721566490153286;
  return 2 * (std::log(count - 1) + kEuler) - 2 * (count - 1) / count;
}

IsolationForest::IsolationForest(std::span<const FeaturePoint> points, std::uint64_t seed) {
  if (points.empty()) return;
  const std::size_t size = std::min(points.size(), kSample);
  usual_depth_ = std::max(usual_depth(size), 1.0);
  depth_max_ = static_cast<std::uint32_t>(std::ceil(std::log2(static_cast<double>(std::max<std::size_t>(size, 2)))));
  std::vector<std::uint32_t> numbers(points.size());
  std::iota(numbers.begin(), numbers.end(), 0U);
  for (std::size_t tree = 0; tree < kTrees; ++tree) {
    base::Random random(seed, tree);
    // The first `size` of a shuffle that stops there.
    for (std::size_t i = 0; i < size; ++i) std::swap(numbers[i], numbers[i + random.below(numbers.size() - i)]);
    std::vector<std::uint32_t> sample(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(size));
    roots_.push_back(static_cast<std::uint32_t>(nodes_.size()));
    grow(sample, 0, size, 0, points, random);
  }
}

void IsolationForest::grow(std::vector<std::uint32_t>& sample, std::size_t begin, std::size_t end, std::uint32_t depth,
                           std::span<const FeaturePoint> points, base::Random& random) {
  const std::size_t node = nodes_.size();
  nodes_.emplace_back();
  const auto leaf = [&] { nodes_[node].depth = static_cast<float>(depth + usual_depth(end - begin)); };
  if (depth >= depth_max_ || end - begin <= 1) return leaf();
  // A cut needs a feature in which the points differ.
  std::array<std::pair<float, float>, kFeatureCount> bounds;
  std::array<std::uint32_t, kFeatureCount> usable;
  std::size_t usable_count = 0;
  for (std::uint32_t feature = 0; feature < kFeatureCount; ++feature) {
    auto& [low, high] = bounds[feature];
    low = high = points[sample[begin]][feature];
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min(low, points[sample[i]][feature]);
      high = std::max(high, points[sample[i]][feature]);
    }
    if (low < high) usable[usable_count++] = feature;
  }
  if (usable_count == 0) return leaf();
  const std::uint32_t feature = usable[random.below(usable_count)];
  const auto [low, high] = bounds[feature];
  // Above the lowest, so that both sides have points.
  float cut = static_cast<float>(low + random.uniform() * (static_cast<double>(high) - low));
  if (cut <= low) cut = std::nextafter(low, high);
  const auto middle = std::stable_partition(sample.begin() + static_cast<std::ptrdiff_t>(begin),
                                            sample.begin() + static_cast<std::ptrdiff_t>(end),
                                            [&](std::uint32_t number) { return points[number][feature] < cut; });
  const auto split = static_cast<std::size_t>(middle - sample.begin());
  nodes_[node].feature = feature;
  nodes_[node].value = cut;
  grow(sample, begin, split, depth + 1, points, random);
  nodes_[node].right = static_cast<std::uint32_t>(nodes_.size());
  grow(sample, split, end, depth + 1, points, random);
}

double IsolationForest::score(const FeaturePoint& point) const {
  if (roots_.empty()) return 0;
  double depths = 0;
  for (const std::uint32_t root : roots_) {
    std::uint32_t node = root;
    while (nodes_[node].right != 0)
      node = point[nodes_[node].feature] < nodes_[node].value ? node + 1 : nodes_[node].right;
    depths += nodes_[node].depth;
  }
  return std::exp2(-depths / static_cast<double>(roots_.size()) / usual_depth_);
}

}  // namespace stillwatch::quality
