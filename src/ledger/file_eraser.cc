#include "ledger/file_eraser.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>
#include <zstd.h>

#include "base/limits.h"
#include "ledger/durable_files.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::size_t kBlockBytes = 1U << 18;
constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";
constexpr std::uint64_t kFrameBytesMax = 4U << 20;  // as the gateway writes its query log: a cut costs one frame

tl::unexpected<base::Error> failed(std::string_view what, const std::string& path, int code) {
  return base::fail(file_error(what, path, code));
}
tl::unexpected<base::Error> damaged(const std::string& path, std::string_view what) {
  return base::fail(Fault::environment, fmt::format("{} cannot be erased from: {}; it was not changed", path, what));
}

class Input {
 public:
  explicit Input(const std::string& path) : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (file_ >= 0) ::close(file_);
    ZSTD_freeDCtx(stream_);
  }

  base::Status open() {
    struct stat status {};
    if (file_ < 0 || ::fstat(file_, &status) != 0) return failed("read", path_, errno);
    if (!S_ISREG(status.st_mode)) return damaged(path_, "it is no file");
    mode_ = status.st_mode & 0777U;
    STILLWATCH_TRY(begin, read_raw());
    raw_ = std::move(begin);
    if (!is_zstd()) return {};
    is_zstd_ = true;
    stream_ = ZSTD_createDCtx();
    (void)ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, base::limits::kDecompressWindowLogMax);
    return {};
  }
  bool compressed() const { return is_zstd_; }
  unsigned mode() const { return mode_; }

  /// The next bytes of text; empty at the end.
  base::Result<std::string> read() {
    if (!is_zstd_) {
      if (!raw_.empty()) return std::exchange(raw_, {});
      return read_raw();
    }
    std::string out(kBlockBytes, '\0');
    for (;;) {
      if (at_ == raw_.size()) {
        STILLWATCH_TRY(more, read_raw());
        raw_ = std::move(more);
        at_ = 0;
        if (raw_.empty()) {
          if (in_frame_) return damaged(path_, "its last zstd frame ends early");
          return std::string();
        }
      }
      ZSTD_inBuffer in{raw_.data(), raw_.size(), at_};
      ZSTD_outBuffer to{out.data(), out.size(), 0};
      const std::size_t left = ZSTD_decompressStream(stream_, &to, &in);
      at_ = in.pos;
      if (ZSTD_isError(left) != 0U) return damaged(path_, "its zstd frames are damaged");
      in_frame_ = left != 0;
      if (to.pos > 0) {
        out.resize(to.pos);
        return out;
      }
    }
  }

 private:
  bool is_zstd() const {
    // Frames, or skippable frames before them.
    return raw_.starts_with(kZstdMagic) ||
           (raw_.size() >= 4 && (static_cast<unsigned char>(raw_[0]) & 0xF0U) == 0x50U &&
            raw_.substr(1, 3) == "\x2A\x4D\x18");
  }
  base::Result<std::string> read_raw() {
    std::string block(kBlockBytes, '\0');
    for (;;) {
      const ssize_t count = ::read(file_, block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return failed("read", path_, errno);
      block.resize(static_cast<std::size_t>(count));
      return block;
    }
  }

  std::string path_;
  int file_;
  unsigned mode_ = 0600;
  std::string raw_;
  std::size_t at_ = 0;
  bool is_zstd_ = false, in_frame_ = false;
  ZSTD_DCtx* stream_ = nullptr;
};

class Output {
 public:
  Output(AppendFile file, bool compressed) : file_(std::move(file)), compressed_(compressed) {}

  base::Status write(std::string_view bytes) {
    waiting_ += bytes;
    return waiting_.size() < kFrameBytesMax ? base::Status() : flush();
  }
  base::Status finish() {
    STILLWATCH_CHECK(flush());
    return file_.sync();
  }

 private:
  base::Status flush() {
    if (waiting_.empty()) return {};
    if (!compressed_) {
      STILLWATCH_CHECK(file_.append(waiting_));
    } else {
      std::string frame(ZSTD_compressBound(waiting_.size()), '\0');
      const std::size_t size = ZSTD_compress(frame.data(), frame.size(), waiting_.data(), waiting_.size(), 3);
      if (ZSTD_isError(size) != 0U) return base::fail(Fault::ours, "zstd could not compress");
      STILLWATCH_CHECK(file_.append(std::string_view(frame).substr(0, size)));
    }
    waiting_.clear();
    return {};
  }

  AppendFile file_;
  bool compressed_;
  std::string waiting_;
};

// Cuts text into lines and gives each with its newline (the last one may have none).
template <class Take>
base::Status each_line(Input& input, const std::string& path, Take take) {
  std::string rest;
  for (;;) {
    STILLWATCH_TRY(block, input.read());
    if (block.empty()) break;
    std::string_view text = block;
    if (!rest.empty()) {
      const std::size_t end = text.find('\n');
      rest += text.substr(0, end == std::string_view::npos ? end : end + 1);
      if (rest.size() > base::limits::kLineBytesMax) return damaged(path, "a line is longer than 8 MiB");
      if (end == std::string_view::npos) continue;
      STILLWATCH_CHECK(take(rest));
      rest.clear();
      text.remove_prefix(end + 1);
    }
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      STILLWATCH_CHECK(take(text.substr(0, end + 1)));
      text.remove_prefix(end + 1);
    }
    rest = std::string(text);
  }
  return rest.empty() ? base::Status() : take(rest);
}

std::string_view without_newline(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// What would go. Nothing is written.
base::Result<FileErasure> judge_file(const std::string& path, const JudgeLine& judge) {
  Input input(path);
  STILLWATCH_CHECK(input.open());
  FileErasure out;
  STILLWATCH_CHECK(each_line(input, path, [&](std::string_view line) {
    const LineFate fate = judge(without_newline(line));
    ++out.lines_seen;
    out.lines_erased += fate == LineFate::goes ? 1 : 0;
    out.lines_held += fate == LineFate::held ? 1 : 0;
    return base::Status();
  }));
  return out;
}

base::Status write_without(const std::string& path, const std::string& new_path, const JudgeLine& judge) {
  Input input(path);
  STILLWATCH_CHECK(input.open());
  STILLWATCH_TRY(file, AppendFile::open(new_path, input.mode()));
  STILLWATCH_CHECK(file.truncate(0));
  Output output(std::move(file), input.compressed());
  STILLWATCH_CHECK(each_line(input, path, [&](std::string_view line) {
    return judge(without_newline(line)) == LineFate::goes ? base::Status() : output.write(line);
  }));
  return output.finish();
}

}  // namespace

base::Result<FileErasure> erase_lines(const std::string& path, const JudgeLine& judge) {
  STILLWATCH_CHECK(finish_replacement_of(path));
  STILLWATCH_TRY(out, judge_file(path, judge));
  if (out.lines_erased == 0) return out;
  const std::string new_path = path + ".new";
  if (const auto written = write_without(path, new_path, judge); !written) {
    (void)overwrite_and_remove(new_path);
    return base::fail(written.error());
  }
  STILLWATCH_TRY(overwritten, replace_by(path, new_path));
  out.rewritten = true;
  out.overwritten = overwritten;
  return out;
}

}  // namespace stillwatch::ledger
