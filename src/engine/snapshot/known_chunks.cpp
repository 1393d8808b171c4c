#include "engine/snapshot/known_chunks.hpp"

#include "util/error.hpp"
#include "util/interrupt.hpp"

#include <fmt/format.h>

namespace cairn {

void KnownChunks::index_packs(Context& context, const LeanSet& chosen, std::size_t first_other) {
  for (std::size_t i = 0; i < chosen.all().size(); ++i) {
    PackRef ref = chosen.all()[i];
    DedupIndex& chunks = ref.content == PackContent::list ? m_lists : m_content;
    const bool full = chunks.fill() > k_fill_by_others;
    if (full && i >= first_other) continue;
    check_interrupted();
    const auto damage = damage_of(
        [&] {
          const auto directory = context.repository.packs().directory(ref);
          // Records of interrupted runs do not say how large it is.
          if (ref.raw_bytes == 0) ref.raw_bytes = directory->raw_size();
          const auto index = m_lean.add(ref, directory->chunk_count());
          if (!index || (full && directory->even_chunks())) return;
          for (std::uint32_t chunk = 0; chunk < directory->chunk_count(); ++chunk) {
            chunks.insert(directory->digest(chunk), {*index, chunk});
          }
        },
        {ErrorKind::no_key});
    if (damage) context.reporter.warning(fmt::format("{}; what it held is stored again", damage->message()));
  }
}

}  // namespace cairn
