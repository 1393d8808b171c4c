#include "engine/snapshot/size_guard.hpp"

#include "util/units.hpp"

#include <fmt/format.h>

namespace cairn {

namespace {

std::string files_text(std::uint64_t files) {
  return fmt::format("{} {}", files, files == 1 ? "file" : "files");
}

bool is_emptied(const SourceSize& size, const SourceSize& before) {
  return (size.files == 0 && before.files != 0) || (size.bytes == 0 && before.bytes != 0);
}

bool dropped(const SourceSize& size, const SourceSize& before, double share) {
  return static_cast<double>(size.bytes) < static_cast<double>(before.bytes) * (1.0 - share);
}

std::string drop_text(const SourceSize& size, const SourceSize& before, double share) {
  return fmt::format("it gave {}, more than {:.0f} % less than the {} of the snapshot before", format_size(size.bytes),
                     share * 100, format_size(before.bytes));
}

std::optional<std::string> refusal(const SizeGuard& guard, const SourceSize& size) {
  if (size.files < guard.min_files) {
    return fmt::format("it gave {}, fewer than the minimum of {}", files_text(size.files), guard.min_files);
  }
  if (size.bytes < guard.min_size) {
    return fmt::format("it gave {}, less than the minimum of {}", format_size(size.bytes), format_size(guard.min_size));
  }
  return std::nullopt;
}

}  // namespace

SizeJudgement judge_size(const SizeGuard& guard, const SourceSize& size, const SizeBefore& before,
                         std::optional<double> usual_drop) {
  SizeJudgement out;
  out.refusal = refusal(guard, size);
  if (out.refusal) return out;
  const bool nothing = size.files == 0 || size.bytes == 0;
  const std::string gave = fmt::format("it gave {}", size.files == 0 ? "no file" : "0 B");
  if (!before.size) {
    if (!before.closed || !nothing || guard.allow_empty) return out;
    out.doubt = Doubt::emptied;
    out.reason = gave + ", and no key at hand opens the snapshot before";
    return out;
  }
  const SourceSize& then = *before.size;
  const bool emptied = is_emptied(size, then);
  if (emptied && guard.allow_empty) return out;
  if (guard.max_drop && dropped(size, then, *guard.max_drop)) {
    out.refusal = drop_text(size, then, *guard.max_drop);
  } else if (emptied) {
    out.doubt = Doubt::emptied;
    out.reason = fmt::format("{}, and the snapshot before has {}", gave,
                             size.files == 0 ? files_text(then.files) : format_size(then.bytes));
  } else if (!guard.max_drop && usual_drop && dropped(size, then, *usual_drop)) {
    out.doubt = Doubt::shrunk;
    out.reason = drop_text(size, then, *usual_drop);
  }
  return out;
}

}  // namespace cairn
