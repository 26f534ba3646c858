#include "text/lexicon.h"

#include "base/assert.h"
#include "text/scores.h"

namespace stillwatch::text {
namespace {

// The most frequent function words of each language: articles, pronouns, prepositions, conjunctions,
// auxiliaries, question words. Han, Kana and syllables of spaced scripts as single characters or words.
constexpr std::string_view kStructure[] = {
    // English
    "the a an and or but if then else than as of in on at to from by for with without about into over under between "
    "through during before after above below is are was were be been being am do does did done has have had having can "
    "could will would shall should may might must not no nor only also too very just so such both either neither each "
    "every all any some most more less few many much other another same own this that these those there here it its i "
    "me "
    "my we us our you your he him his she her they them their who whom whose which what when where why how let please "
    "dont doesnt isnt cant",
    // Spanish
    "el la los las un una unos unas y o u pero si que de del al en con sin por para sobre entre desde hasta como "
    "cuando "
    "donde cual cuál qué cómo quién cuándo dónde es son era fue ser estar está están ha han he hay no ni más menos muy "
    "ya "
    "su sus mi mis tu tus se lo le les me te nos este esta estos estas ese esa eso esto cada todo toda todos todas "
    "otro otra",
    // French
    "le les des du au aux et ou mais donc car ne pas plus moins dans sur sous avec sans pour par chez vers qui quoi "
    "dont où "
    "quand comment pourquoi est sont était être avoir ont il elle ils elles on nous vous je mon ma mes ton ta tes son "
    "sa "
    "ses notre votre leur leurs ce cet cette ces chaque tout toute tous toutes quel quelle quels quelles l d c j n s t "
    "m qu",
    // German
    "der die das den dem ein eine einen einem einer eines und oder aber wenn dann als wie wo was wer wen wem warum "
    "wann "
    "welche welcher welches ist sind war waren sein bin wird werden wurde hat haben hatte kann können soll sollte muss "
    "müssen darf nicht kein keine nur auch noch schon sehr in im an am auf aus bei mit nach von vom vor zu zum zur "
    "über "
    "unter zwischen durch für gegen ohne um bis ich du er sie es wir ihr mich mir dich dir ihn ihm uns euch mein dein "
    "dieser diese dieses jede jeder jedes alle bitte",
    // Portuguese
    "os uma uns umas e ou mas se do da dos das no na nos nas ao aos à às em com sem por pelo pela para sobre entre até "
    "como quando onde qual quais quem é são foi ser está estão tem têm há não nem mais menos muito já seu sua seus "
    "suas meu "
    "minha você eu ele ela eles elas nós isso isto este esta esse essa cada todo toda",
    // Italian
    "il lo gli uno ed ma che di del dello della dei degli delle al allo alla ai agli alle dal dalla nel nella nei con "
    "senza "
    "per tra fra su sul sulla come quando dove quale quali chi cosa perché è sono era essere ha hanno non più meno "
    "molto già "
    "suo sua mio mia tuo tua io lui lei noi voi loro questo questa questi queste quello quella ogni tutto tutti",
    // Dutch
    "het een en maar als dan dat die dit deze wat wie waar wanneer waarom hoe welke is zijn was waren wordt worden "
    "heeft "
    "hebben had kan kunnen moet moeten zal zou niet geen ook nog wel zeer van aan op uit bij met naar voor tot over "
    "onder "
    "tussen door tegen zonder om ik jij je hij zij ze wij we jullie u mijn jouw hun ons elk elke alle",
    // Scandinavian languages
    "och att det som på är av för med till den har inte om ett han var jag från vi så kan när ska eller hur vad og er "
    "ikke "
    "til som har de på med sig af kan skal hvor hvad hvordan jeg du",
    // Russian, Ukrainian
    "и в во не на я что он с со как это по но они мы она к ко у вы за из от до о об так же бы для если или когда где "
    "кто "
    "какой какая какие какое почему зачем чем при без между над под через после перед его её их мой твой наш ваш этот "
    "эта "
    "эти то та те весь все всё каждый есть был была были быть будет нет да ли уже ещё только также й є не що як та або "
    "якщо",
    // Polish, Czech
    "i w we z ze na do od po za o u dla przez przy bez nad pod przed między że aby żeby oraz lub albo ale jeśli gdy "
    "kiedy "
    "gdzie kto co jak jaki jaka jakie dlaczego czy jest są był była było być będzie nie tak już tylko też bardzo się "
    "ja ty "
    "on ona ono my wy oni mój twój jego jej ich ten ta to te każdy a ve se si pro při který která jsou není",
    // Turkish
    "ve veya ya da de bir bu şu o ile için gibi kadar daha çok en ama fakat eğer ki ne nasıl neden niçin kim hangi "
    "nerede "
    "mi mı mu mü değil var yok ben sen biz siz onlar her olan olarak sonra önce",
    // Indonesian, Malay
    "yang dan di ke dari untuk dengan pada adalah ini itu atau tetapi tidak bukan akan telah sudah dapat bisa harus "
    "oleh "
    "dalam sebagai jika saya anda kamu dia kami kita mereka apa siapa mana bagaimana mengapa kapan setiap semua",
    // Vietnamese
    "và của là có các những một cho với trong được không người này đó để từ khi như về đã sẽ hoặc nếu thì mà bạn tôi "
    "hãy gì "
    "nào sao bao theo trên dưới ra vào",
    // Arabic, Hebrew, Persian
    "في من إلى على عن مع هذا هذه ذلك التي الذي ما هل كيف لماذا متى أين و أو لا لم أن إن كل של את על לא זה או אם מה איך "
    "از به در با "
    "که را این آن است و یا چه",
    // Hindi
    "का की के में है हैं को से और या एक यह वह पर क्या कैसे नहीं लिए",
    // Korean
    "및 또는 그리고 그 이 저 것 수 등 를 을 은 는 에 의 가 와 과 로 하는 있는 대한 위한 다음 각 모든 무엇 어떻게 왜",
    // Han and Kana, a character each
    "的 了 是 在 和 有 与 及 或 不 也 都 就 而 但 若 如 为 对 把 被 将 从 到 以 于 之 其 此 这 那 哪 个 些 每 各 给 让 "
    "使 请 用 由 所 "
    "中 上 下 我 你 您 他 她 它 们 什 么 吗 呢 吧 最 更 很 與 為 對 這 個 們 請 嗎 "
    "の は を に が で と も へ や か ら て し た い る す ま な れ こ そ あ く だ さ り",
};

struct Cues {
  Score score;
  std::string_view words;
};
// Han cues are pairs of characters. A hundred words say little, and are meant to.
constexpr Cues kCues[] = {
    {Score::reasoning,
     "step steps reason reasoning think explain why prove proof solve derive justify rationale thought deduce paso "
     "pasos razona "
     "explica demuestra étape étapes raisonnement explique explain schritt schritte begründe erkläre passo passos "
     "explique "
     "spiega stap stappen шаг шаги объясни krok wyjaśnij adım açıkla langkah jelaskan bước 步骤 推理 思考 解释 证明 "
     "推导 "
     "분석 단계 설명"},
    {Score::judging,
     "rate rating score judge evaluate evaluation grade rubric criteria assess compare better preferred verdict evalúa "
     "puntuación "
     "criterios évalue critères note bewerte bewertung kriterien avalie valuta beoordeel оцени оценка критерии oceń "
     "değerlendir "
     "nilai 评分 打分 评估 评价 比较 标准 평가"},
    {Score::rewriting,
     "rewrite rephrase paraphrase reword revise improve modify transform evolve complicate simplify variation "
     "variations reescribe "
     "mejora reformule réécris améliore umschreiben verbessere reescreva riscrivi herschrijf перепиши улучши przepisz "
     "tulis 改写 重写 改进 修改 润色 简化 다시"},
    {Score::breadth,
     "list generate examples example ideas topics different various diverse several multiple tasks questions enumerate "
     "brainstorm "
     "lista ejemplos genera liste exemples génère beispiele gib exemplos esempi genereer voorbeelden список примеры "
     "создай lista "
     "przykłady örnekler daftar contoh 列出 生成 例子 多个 不同 목록 예시"},
    {Score::output_heavy,
     "essay article detailed comprehensive long story report blog thorough chapter guide extensive ensayo artículo "
     "detallado largo "
     "histoire détaillé ausführlich aufsatz bericht artigo detalhado saggio dettagliato uitgebreid статья подробно "
     "эссе рассказ "
     "szczegółowo ayrıntılı lengkap 文章 详细 故事 报告 小说 자세히"},
    {Score::code,
     "code function program script python javascript java sql html css algorithm class array string compile bug api "
     "regex bash "
     "código función programa fonction programme programm funktion função funzione functie код функция функцию "
     "funkcja kod fungsi 代码 函数 程序 编程 算法 코드 함수"},
};

}  // namespace

const Lexicon& Lexicon::instance() {
  static const Lexicon lexicon;
  return lexicon;
}

Lexicon::Lexicon() : entries_(1) {
  for (const auto words : kStructure) add(words, kStructureWord);
  for (const auto& cues : kCues) add(cues.words, static_cast<std::uint8_t>(2U << static_cast<unsigned>(cues.score)));
}

std::uint8_t Lexicon::look_up_beyond(WordKey key, std::size_t slot) const {
  while (true) {
    slot = (slot + 1) & (kSlots - 1);
    const std::uint16_t entry = slots_[slot];
    if (entry == 0) return 0;
    if (entries_[entry].key == key) return entries_[entry].bits;
  }
}

void Lexicon::add(std::string_view words, std::uint8_t bits) {
  while (!words.empty()) {
    const std::size_t length = std::min(words.find(' '), words.size());
    char padded[32] = {};
    STILLWATCH_ASSERT(length <= 16);
    std::memcpy(padded, words.data(), length);
    words.remove_prefix(std::min(length + 1, words.size()));
    if (length == 0) continue;
    const WordKey key = word_key(padded, length);
    std::size_t slot = slot_of(key);
    while (slots_[slot] != 0 && !(entries_[slots_[slot]].key == key)) {
      entries_[slots_[slot]].is_passed = true;
      slot = (slot + 1) & (kSlots - 1);
    }
    if (slots_[slot] == 0) {
      STILLWATCH_ASSERT(3 * entries_.size() < kSlots);
      slots_[slot] = static_cast<std::uint16_t>(entries_.size());
      entries_.push_back({key});
    }
    entries_[slots_[slot]].bits |= bits;
  }
}

}  // namespace stillwatch::text
