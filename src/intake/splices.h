// Edits of a text as a list of cuts and replacements by position, applied in one copy.
//
// Internal to this module. Invariant: splices are added in ascending order and do not overlap; what no splice covers
// comes out byte for byte. Cutting members or elements leaves a well-formed list: commas go with what was cut.
// Threads: one an object. Cost: the copy; no allocation once the vector has grown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::intake {

class Splices {
 public:
  void clear() { splices_.clear(); }
  bool empty() const { return splices_.empty(); }
  void cut(std::size_t begin, std::size_t end) { splices_.push_back({begin, end, {}}); }
  /// `with` must live until apply().
  void replace(std::size_t begin, std::size_t end, std::string_view with) { splices_.push_back({begin, end, with}); }
  void apply(std::string_view text, std::string& out) const {
    std::size_t at = 0;
    for (const Splice& splice : splices_) {
      out.append(text.substr(at, splice.begin - at)).append(splice.with);
      at = splice.end;
    }
    out.append(text.substr(at));
  }

 private:
  struct Splice {
    std::size_t begin, end;
    std::string_view with;
  };
  std::vector<Splice> splices_;
};

/// Keeps and cuts the members of one object, or the elements of one array, in order.
class ListCutter {
 public:
  explicit ListCutter(Splices& splices) : splices_(splices) {}

  /// Before the item's own splices are added. `begin` of the key's quote, or of the element.
  void keep(std::size_t begin) {
    if (is_pending_) splices_.cut(pending_begin_, begin);
    is_pending_ = is_cutting_ = false;
    has_kept_ = true;
  }
  void cut(std::size_t begin) {
    is_cutting_ = true;
    if (has_kept_ || is_pending_) return;
    is_pending_ = true;
    pending_begin_ = begin;
  }
  /// Behind the item's value.
  void end_item(std::size_t end) {
    if (is_cutting_ && has_kept_) splices_.cut(item_end_, end);
    item_end_ = end;
  }
  /// Behind the last item.
  void close() {
    if (is_pending_) splices_.cut(pending_begin_, item_end_);
    is_pending_ = false;
  }

 private:
  Splices& splices_;
  std::size_t pending_begin_ = 0, item_end_ = 0;
  bool has_kept_ = false, is_pending_ = false, is_cutting_ = false;
};

}  // namespace stillwatch::intake
