#include "text/language.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "text/unicode.h"

namespace stillwatch::text {
namespace {

using event::Language;

// Votes of one word: a counter of four bits for each language of Latin script, side by side, so that one addition
// counts for all of them.
enum Latin : unsigned { kEn, kEs, kFr, kDe, kPt, kIt, kNl, kNordic, kSlavic, kTr, kId, kVi, kLatins };
constexpr unsigned kBitsEach = 4;
static_assert(kLatins * kBitsEach <= 64 && kFunctionWordsMax < 1U << kBitsEach);

// Frequent function words of a language, with those that it shares with others. All are structure words of lexicon.h,
// which is asked first. What is listed under no class of its own counts as other_latin.
constexpr std::array<std::string_view, kLatins> kWords{
    // English
    "the a an and or but if then than as of in on at to from by for with without about into over under between through "
    "during before after is are was were be been do does did has have had can could will would should may must not no "
    "only also very so such each every all any some most more this that these those there here it its i me my we our "
    "you your he him his she her they them their who which what when where why how let please",
    // Spanish
    "el la los las un una unos unas y o pero si que de del al en con sin por para sobre entre desde hasta como cuando "
    "donde cual cuál qué cómo quién cuándo dónde es son fue ser estar está están han ha he hay no ni más menos muy ya "
    "su "
    "sus mi mis tu tus se lo le les me te nos este esta estos estas ese esa eso esto cada todo toda todos todas otro "
    "otra a",
    // French
    "le les la un des du de au aux et ou mais donc car ne pas plus moins dans sur sous avec sans pour par chez "
    "vers "
    "en qui que quoi dont où quand comment pourquoi est sont était être avoir ont il elle ils elles on nous vous je "
    "mon "
    "ma mes ton ta tes son sa ses notre votre leur leurs ce cet cette ces chaque tout toute tous toutes quel quelle "
    "quels quelles si se me te l d c j n s t m qu",
    // German
    "der die das den dem ein eine einen einem einer eines und oder aber wenn dann als wie wo was wer wen wem warum "
    "wann "
    "welche welcher welches ist sind war waren sein wird werden wurde hat haben hatte kann können soll sollte muss "
    "müssen darf nicht kein keine nur auch noch schon sehr in im an am auf aus bei mit nach von vom vor zu zum zur "
    "über "
    "unter zwischen durch für gegen ohne um bis ich du er sie es wir ihr mich mir dich dir ihn ihm uns euch mein dein "
    "dieser diese dieses jede jeder jedes alle bitte so",
    // Portuguese
    "o os a as um uma uns umas e ou mas se que de do da dos das em no na nos nas ao aos à às com sem por pelo pela "
    "para "
    "sobre entre até como quando onde qual quais quem é são foi ser está estão tem têm há não nem mais menos muito já "
    "seu sua seus suas meu minha você eu ele ela eles elas nós isso isto este esta esse essa cada todo toda me te",
    // Italian
    "il lo la gli le un una uno i e ed o ma che di a da in del dello della dei degli delle al allo alla ai agli alle "
    "dal "
    "dalla nel nella nei con su per senza tra fra sul sulla come quando dove quale quali chi cosa perché è sono era "
    "essere ha hanno non più meno molto già se si suo sua mio mia tuo tua io lui lei noi voi loro questo questa questi "
    "queste quello quella ogni tutto tutti",
    // Dutch
    "de het een en of maar als dan dat die dit deze wat wie waar wanneer waarom hoe welke is zijn was waren wordt "
    "worden "
    "heeft hebben had kan kunnen moet moeten zal zou niet geen ook nog wel zeer van aan op uit bij met naar voor tot "
    "over onder tussen door tegen zonder in te om ik jij je hij zij ze wij we jullie u mijn jouw hun ons elk elke alle",
    // Swedish, Danish, Norwegian
    "och att det som på är av för med till den har inte om ett en han var jag från vi så kan när ska eller hur vad og "
    "er "
    "ikke til de sig af skal hvor hvad hvordan jeg du i",
    // Polish, Czech
    "i w we z ze na do od po za o u a dla przez przy bez nad pod przed między że aby żeby oraz lub albo ale jeśli gdy "
    "kiedy gdzie kto co jak jaki jaka jakie dlaczego czy jest są był była było być będzie nie tak już tylko też bardzo "
    "się ja ty on ona ono my wy oni mój twój jego jej ich ten ta to te każdy v se si pro při který která jsou není",
    // Turkish
    "ve veya ya da de bir bu şu o ile için gibi kadar daha çok en ama fakat eğer ki ne nasıl neden niçin kim hangi "
    "nerede mi mı mu mü değil var yok ben sen biz siz onlar her olan olarak sonra önce",
    // Indonesian, Malay
    "yang dan di ke dari untuk dengan pada adalah ini itu atau tetapi tidak bukan akan telah sudah dapat bisa harus "
    "oleh "
    "dalam sebagai jika saya anda kamu dia kami kita mereka apa siapa mana bagaimana mengapa kapan setiap semua",
    // Vietnamese
    "và của là có các những một cho với trong được không người này đó để từ khi như về đã sẽ hoặc nếu thì mà bạn tôi "
    "hãy "
    "gì nào sao bao theo trên dưới ra vào",
};
constexpr std::array<Language, kLatins> kClasses{Language::en,          Language::es,          Language::fr,
                                                 Language::de,          Language::pt,          Language::other_latin,
                                                 Language::other_latin, Language::other_latin, Language::other_latin,
                                                 Language::other_latin, Language::other_latin, Language::other_latin};

/// Function words of Latin script and their votes, by open addressing.
class WordVotes {
 public:
  WordVotes() {
    for (unsigned latin = 0; latin < kLatins; ++latin) {
      std::string_view words = kWords[latin];
      while (!words.empty()) {
        const std::size_t length = std::min(words.find(' '), words.size());
        char padded[32] = {};
        STILLWATCH_ASSERT(length > 0 && length <= 16);
        std::memcpy(padded, words.data(), length);
        words.remove_prefix(std::min(length + 1, words.size()));
        Entry& entry = *slot(word_key(padded, length));
        entry.key = word_key(padded, length);
        entry.votes |= std::uint64_t{1} << (kBitsEach * latin);
      }
    }
  }
  std::uint64_t votes_of(const WordKey& key) { return slot(key)->votes; }

 private:
  struct Entry {
    WordKey key;
    std::uint64_t votes = 0;
  };
  static constexpr std::size_t kSlots = 2'048;  // a third full: most look-ups end at once
  Entry* slot(const WordKey& key) {
    std::size_t at = (key.low * 0x9E3779B97F4A7C15ULL ^ key.high * 0xC2B2AE3D27D4EB4FULL) >> 53;
    while (entries_[at].votes != 0 && !(entries_[at].key == key)) at = (at + 1) & (kSlots - 1);
    return &entries_[at];
  }
  std::array<Entry, kSlots> entries_{};
};

WordVotes& word_votes() {
  static WordVotes votes;
  return votes;
}

Language latin_language(std::uint64_t votes, std::uint32_t words) {
  std::uint64_t best = 0, second = 0;
  unsigned winner = 0;
  for (unsigned latin = 0; latin < kLatins; ++latin) {
    const std::uint64_t count = votes >> (kBitsEach * latin) & ((1U << kBitsEach) - 1);
    if (count > best) {
      // Two languages of one class are no tie.
      if (kClasses[latin] != kClasses[winner] || best == 0) second = best;
      best = count;
      winner = latin;
    } else if (count > second && kClasses[latin] != kClasses[winner]) {
      second = count;
    }
  }
  // A single function word tells a line of a few words, and nothing longer.
  constexpr std::uint32_t kShortWords = 6;
  const bool enough = best >= 2 || (best == 1 && words <= kShortWords);
  return enough && best > second ? kClasses[winner] : Language::unknown;
}

enum Script : std::uint8_t { kLatin, kHan, kKana, kHangul, kCyrillic, kArabic, kDevanagari, kElse, kScripts };

Script script_of(char32_t code) {
  if (code < 0x370) return kLatin;
  if (code < 0x400) return kElse;  // Greek
  if (code < 0x530) return kCyrillic;
  if (code < 0x600) return kElse;  // Armenian, Hebrew
  if (code < 0x700) return kArabic;
  if (code >= 0x900 && code < 0x980) return kDevanagari;
  if (code >= 0x1E00 && code < 0x1F00) return kLatin;  // with two marks, as in Vietnamese
  if (code >= 0x3040 && code < 0x3100) return kKana;
  if (code >= 0x3400 && code < 0xA000) return kHan;
  if ((code >= 0xAC00 && code < 0xD7B0) || (code >= 0x1100 && code < 0x1200)) return kHangul;
  if (code >= 0xFF21 && code < 0xFF5B) return kLatin;
  if (code >= 0xFF66 && code < 0xFFA0) return kKana;
  return code >= 0x20000 && code < 0x40000 ? kHan : kElse;
}

/// Letters that Russian does not have: U+0452 to U+045F, and everything from U+0480 on.
bool has_letter_beyond_russian(std::string_view word) {
  for (std::size_t i = 0; i + 1 < word.size(); ++i) {
    const auto first = static_cast<unsigned char>(word[i]), next = static_cast<unsigned char>(word[i + 1]);
    if ((first == 0xD1 && next >= 0x92 && next <= 0x9F) || first == 0xD2 || first == 0xD3) return true;
  }
  return false;
}

/// Letters that Persian and Urdu add.
bool has_letter_beyond_arabic(std::string_view word) {
  for (std::size_t i = 0; i + 1 < word.size(); ++i) {
    const auto first = static_cast<unsigned char>(word[i]), next = static_cast<unsigned char>(word[i + 1]);
    if (first == 0xDA || first == 0xDB || (first == 0xD9 && next == 0xBE)) return true;
  }
  return false;
}

}  // namespace

std::string_view function_words_of(Language language) {
  for (unsigned latin = 0; latin < kLatins; ++latin) {
    if (kClasses[latin] == language) return kWords[latin];
  }
  return {};
}

Language language_of(const MaskedText& text) {
  std::array<std::uint32_t, kScripts> half{};
  std::uint64_t votes = 0;
  unsigned voters = 0;
  bool beyond = false;
  const Item* const end = text.begin() + std::min(text.count(), kLanguageItemsMax);
  for (const Item* item = text.begin(); item != end; ++item) {
    if (item->kind == ItemKind::word) {
      const std::string_view word = text.bytes(*item);
      if (static_cast<unsigned char>(word[0]) < 0x80) {
        half[kLatin] += 2;
      } else {
        const Decoded first = decode(word.data(), word.data() + word.size());
        if (first.code == kInvalid) continue;
        const Script script = script_of(first.code);
        half[script] += 2;
        if (script == kCyrillic) beyond = beyond || has_letter_beyond_russian(word);
        if (script == kArabic) beyond = beyond || has_letter_beyond_arabic(word);
        if (script != kLatin) continue;
      }
      if ((item->lexicon & kStructureWord) == 0) continue;
      const std::uint64_t found = word_votes().votes_of(word_key(word.data(), word.size()));
      votes += found;
      voters += found != 0 ? 1 : 0;
      if (voters == kFunctionWordsMax) break;
    } else if (item->kind == ItemKind::sign) {
      const std::string_view sign = text.bytes(*item);
      const Decoded code = decode(sign.data(), sign.data() + sign.size());
      ++half[script_of(code.code)];
    }
  }
  // Japanese writes Han and Kana; Chinese has no Kana.
  if (8 * half[kKana] >= half[kHan] + half[kKana] && half[kKana] > 0) {
    half[kKana] += half[kHan];
    half[kHan] = 0;
  }
  const auto most = static_cast<std::size_t>(std::max_element(half.begin(), half.end()) - half.begin());
  if (half[most] == 0) return Language::unknown;
  switch (static_cast<Script>(most)) {
    case kLatin: return latin_language(votes, half[kLatin] / 2);
    case kHan: return Language::zh;
    case kKana: return Language::ja;
    case kHangul: return Language::ko;
    case kCyrillic: return beyond ? Language::other : Language::ru;
    case kArabic: return beyond ? Language::other : Language::ar;
    case kDevanagari: return Language::hi;
    default: return Language::other;
  }
}

}  // namespace stillwatch::text
