#include "text/language.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "crypto/keyed_hash_fixture.h"
#include "text/fingerprint.h"
#include "text/test_prompts.h"

namespace stillwatch::text {
namespace {

using event::Language;

Language of(std::string_view prompt) {
  Fingerprinter fingerprinter{crypto::test::hash_of(0)};
  fingerprinter.begin();
  fingerprinter.begin_turn(Role::user);
  fingerprinter.add_text(prompt);
  return fingerprinter.finish().language;
}

struct Sample {
  Language language;
  std::string_view prompt;
};

TEST(Language, TellsPromptsOfManyLanguages) {
  const std::vector<Sample> samples{
      {Language::en, "Explain to my daughter how the moon pulls the sea, and why there are two tides each day."},
      {Language::en, "Sort this list of names and give me the result."},
      {Language::es, "Explica a mi hija cómo la luna mueve el mar y por qué hay dos mareas cada día."},
      {Language::es, "Ordena esta lista de nombres y dame el resultado."},
      {Language::fr, "Explique à ma fille comment la lune attire la mer et pourquoi il y a deux marées par jour."},
      {Language::fr, "Trie cette liste de noms et donne-moi le résultat dans un tableau."},
      {Language::de, "Erkläre meiner Tochter, wie der Mond das Meer anzieht und warum es zwei Fluten am Tag gibt."},
      {Language::pt, "Explique à minha filha como a lua puxa o mar e por que há duas marés em cada dia."},
      {Language::pt, "Escreva um poema sobre o mar para os meus alunos, com rimas e sem palavras difíceis."},
      {Language::zh, "请向我的女儿解释月亮如何吸引海水,以及为什么每天有两次潮汐。"},
      {Language::ja, "月がどのように海を引っ張り、なぜ一日に二回の潮があるのか娘に説明してください。"},
      {Language::ko, "달이 어떻게 바다를 끌어당기는지, 왜 하루에 두 번 밀물이 있는지 딸에게 설명해 주세요."},
      {Language::ru, "Объясни моей дочери, как луна притягивает море и почему каждый день бывает два прилива."},
      {Language::ar, "اشرح لابنتي كيف يجذب القمر البحر ولماذا يوجد مدان كل يوم"},
      {Language::hi, "मेरी बेटी को समझाओ कि चाँद समुद्र को कैसे खींचता है और हर दिन दो ज्वार क्यों आते हैं"},
      {Language::other_latin,
       "Spiega a mia figlia come la luna attira il mare e perché ci sono due maree ogni giorno."},
      {Language::other_latin,
       "Leg mijn dochter uit hoe de maan de zee aantrekt en waarom het twee keer per dag vloed is."},
      {Language::other_latin, "Wyjaśnij mojej córce, jak księżyc przyciąga morze i dlaczego każdy dzień ma dwa pływy."},
      {Language::other_latin,
       "Hãy giải thích cho con gái tôi vì sao mỗi ngày có hai lần thủy triều và mặt trăng là gì."},
      {Language::other, "Поясни моїй доньці, як місяць притягує море і чому щодня бувають два припливи."},
      {Language::other,
       "به دخترم توضیح بده که ماه چگونه دریا را می‌کشد و چرا هر روز "
       "دو "
       "جزر "
       "و "
       "مد "
       "است"},
      {Language::other, "Εξήγησε στην κόρη μου πώς το φεγγάρι τραβά τη θάλασσα"},
      {Language::other, "הסבר לבת שלי איך הירח מושך את הים"},
      {Language::other, "อธิบายให้ลูกสาวของฉันฟังว่าดวงจันทร์ดึงดูดทะเลอย่างไร"},
  };
  for (const Sample& sample : samples) {
    EXPECT_EQ(name(of(sample.prompt)), name(sample.language)) << sample.prompt;
  }
}

TEST(Language, IsUnknownWhereTheTextDoesNotSay) {
  for (const std::string_view prompt : {"", "12 + 3", "```\nint main() {}\n```", "OK",
                                        "Kubernetes Docker Terraform Ansible", "\"quoted words only\"", "\xff\xfe"}) {
    EXPECT_EQ(of(prompt), Language::unknown) << prompt;
  }
}

TEST(Language, TheInstructionCountsAndNotWhatIsQuoted) {
  EXPECT_EQ(of("Please translate this into Russian for me: \"Мы идём домой, потому что уже поздно и темно\""),
            Language::en);
  // Half and half: the first sentences are read.
  std::string mixed = "Explain what the following means and who wrote it.";
  for (int i = 0; i < 100; ++i) mixed += " Мы идём домой.";
  EXPECT_EQ(of(mixed), of(mixed + mixed)) << "the end of a long text changes nothing";
}

TEST(Language, CaseAndEncodingOfACharacterDoNotMatter) {
  EXPECT_EQ(of("EXPLIQUE À MA FILLE COMMENT LA LUNE ATTIRE LA MER"), Language::fr);
  EXPECT_EQ(of("wHaT iS tHe CaPiTaL oF tHe MoOn"), Language::en);
}

// A word that the lexicon does not know as a structure word would never be asked for.
TEST(Language, EveryFunctionWordIsOneOfTheLexicon) {
  for (const Language language : {Language::en, Language::es, Language::fr, Language::de, Language::pt}) {
    std::string_view words = function_words_of(language);
    ASSERT_FALSE(words.empty());
    while (!words.empty()) {
      const std::size_t length = std::min(words.find(' '), words.size());
      char padded[32] = {};
      std::memcpy(padded, words.data(), length);
      EXPECT_TRUE((Lexicon::instance().look_up(word_key(padded, length)) & kStructureWord) != 0)
          << words.substr(0, length);
      words.remove_prefix(std::min(length + 1, words.size()));
    }
  }
}

TEST(Language, NamesAreDifferent) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < event::kLanguages; ++i) names.insert(name(static_cast<Language>(i)));
  EXPECT_EQ(names.size(), event::kLanguages);
}

}  // namespace
}  // namespace stillwatch::text
