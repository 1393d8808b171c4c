// Carries a prepared stream out: fetches what its steps need, and writes it in the order of the stream.
#pragma once

#include "engine/context.hpp"
#include "engine/restore/stream_form.hpp"
#include "engine/restore/stream_planner.hpp"
#include "repo/frame_fetcher.hpp"

namespace cairn {

// A file that is known to be damaged before its first byte is written is left out and named in the result: of a large
// one, the plan and its first 16 MiB tell. Damage that is found later is thrown, as everything else: then the
// stream ends there, and the form was not told its end. fetcher: told what to expect. By one thread, which is none of
// the context's; it alone calls the form.
Restored execute_stream(Context& context, FrameFetcher& fetcher, StreamForm& form, PreparedStream& plan);

}  // namespace cairn
