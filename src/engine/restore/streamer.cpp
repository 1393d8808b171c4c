#include "engine/restore/streamer.hpp"

#include "engine/restore/stream_executor.hpp"
#include "util/error.hpp"
#include "util/units.hpp"

#include <utility>

#include <fmt/format.h>

namespace cairn {

namespace {

// Decoded frames that stay for what comes next: see restorer.cpp.
constexpr std::uint64_t k_kept_frames = 32ULL << 20;
constexpr std::uint64_t k_kept_list_frames = 8ULL << 20;

// Knows how much was written, and whether that is still possible.
class CountedOutput : public StreamOutput {
 public:
  explicit CountedOutput(StreamOutput& to) : m_to(to) {}
  void write(ByteView bytes) override {
    m_lost = true;
    m_to.write(bytes);
    m_lost = false;
    m_bytes += bytes.size();
  }
  std::uint64_t bytes() const noexcept { return m_bytes; }
  bool lost() const noexcept { return m_lost; }

 private:
  StreamOutput& m_to;
  std::uint64_t m_bytes = 0;
  bool m_lost = false;
};

// The failure under way is told after it.
void cut_short(Reporter& reporter, StreamForm& form, const CountedOutput& output) {
  if (output.lost()) return;
  const std::uint64_t before = output.bytes();
  try {
    form.cut();
  } catch (const Error&) {
    // Whoever reads is told by the exit status alone.
  }
  if (before == 0) return;
  reporter.warning(
      fmt::format("what went to standard output is cut short after {}: it is not to be used", format_size(before)));
}

StoreAccess stream_access(Repository& repository, const RestoreRequest& request) {
  return {repository.store().distance() == Distance::far, false, request.fallback != nullptr};
}

}  // namespace

RestoreFigures plan_stream(Context& context, const Manifest& manifest, const RestoreRequest& request,
                           StreamShape shape) {
  const PackTable packs{manifest};
  FrameFetcher fetcher{packs_of(context.repository, request), context.io, context.cpu, packs, k_kept_list_frames};
  PreparedStream plan = prepare_stream(context, manifest, request, shape,
                                       {fetcher, fetcher, packs, nullptr, stream_access(context.repository, request)});
  return std::move(plan.figures);
}

StreamResult stream_snapshot(Context& context, const Manifest& manifest, const RestoreRequest& request,
                             StreamShape shape, StreamOutput& output) {
  const PackTable packs{manifest};
  FrameFetcher lists{packs_of(context.repository, request), context.io, context.cpu, packs, k_kept_list_frames};
  FrameFetcher content{packs_of(context.repository, request), context.io, context.cpu, packs, k_kept_frames};
  const StoreAccess access = stream_access(context.repository, request);
  PreparedStream plan = prepare_stream(context, manifest, request, shape, {lists, content, packs, nullptr, access});
  if (shape == StreamShape::file && !plan.problems.empty()) {
    throw Error(ErrorKind::damaged, plan.problems.front().message, "nothing was written");
  }
  if (access.far) content.expect(std::move(plan.fetch), k_read_ahead);
  CountedOutput counted{output};
  const auto form = shape == StreamShape::tar
                        ? make_tar_form(counted, plan.segments,
                                        request.owners == Owners::by_number ? OwnerNamesIn::no : OwnerNamesIn::yes)
                        : make_plain_form(counted);
  Restored done;
  try {
    done = execute_stream(context, content, *form, plan);
  } catch (...) {
    cut_short(context.reporter, *form, counted);
    throw;
  }
  if (shape == StreamShape::file && !done.problems.empty()) {
    throw Error(ErrorKind::damaged, done.problems.front().message, "nothing was written");
  }
  return {plan.figures.entries - done.problems.size(), plan.sockets, std::move(done.problems)};
}

}  // namespace cairn
