#include "capture/sqlite/image_checker.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <chrono>
#include <unistd.h>
#include <variant>

namespace cairn::sqlite {

namespace {

using namespace std::chrono_literals;

// It tells of every MiB that it reads.
constexpr auto k_silence = 5min;

Checked unknown(const Error& e) {
  Checked checked;
  checked.verdict = Checked::Verdict::unknown;
  checked.message = e.message();
  return checked;
}

}  // namespace

void ImageChecker::start() {
  if (!m_child) m_child = start_as_nobody(k_reader_name);
}

Checked ImageChecker::check(int file, const std::string& shown, const std::function<void(std::uint64_t)>& read) {
  OpenRequest request;
  request.reach = OpenRequest::Reach::check;
  request.shown = shown;
  return ask(request, file, read, [](const CheckedItem&) {});
}

Checked ImageChecker::examine(int file, const std::string& shown, const std::function<void(std::uint64_t)>& read,
                              const std::function<void(const CheckedItem&)>& item) {
  OpenRequest request;
  request.reach = OpenRequest::Reach::check;
  request.shown = shown;
  request.thorough = true;
  return ask(request, file, read, item);
}

Checked ImageChecker::ask(const OpenRequest& request, int file, const std::function<void(std::uint64_t)>& read,
                          const std::function<void(const CheckedItem&)>& item) {
  try {
    start();
  } catch (const ReaderNotStarted& e) {
    return unknown(e);
  }
  try {
    m_child->send(encode(request), {file});
    std::uint64_t bytes = 0;
    while (true) {
      check_interrupted();
      const auto answer = m_child->receive(ReaderProcess::Clock::now() + k_silence, request.shown);
      if (const auto* const progress = std::get_if<CheckProgress>(&answer.reply)) {
        bytes += progress->bytes;
        read(bytes);
      } else if (const auto* const held = std::get_if<CheckedItem>(&answer.reply)) {
        item(*held);
      } else if (const auto* const checked = std::get_if<Checked>(&answer.reply)) {
        return *checked;
      } else if (const auto* const failed = std::get_if<Failed>(&answer.reply)) {
        return unknown(Error{failed->kind, failed->message});
      } else {
        throw ReaderGone(ErrorKind::failed, "the process that checks it talks nonsense");
      }
    }
  } catch (const ReaderGone& e) {
    m_child.reset();
    Checked checked;
    checked.verdict = Checked::Verdict::broken;
    checked.message = e.message();
    return checked;
  } catch (...) {
    m_child.reset();
    throw;
  }
}

}  // namespace cairn::sqlite
