"""The words of benches/corpus.py: the first of each list come up far more often than the last."""

ENGLISH = {
    "nouns": """report network harbour treaty budget signal market council river archive engine border cable forest
        printer museum satellite ledger railway vaccine parliament bridge protocol library glacier battery court
        election pipeline compiler orchard mineral festival island database tariff telescope factory strike password
        current fishery school journal antenna station highway tenant insurer reef sensor tunnel quarry""".split(),
    "adjectives": """new public local early large small national open quiet slow recent northern digital common former
        careful independent expensive ordinary reliable distant temporary official narrow industrial rural""".split(),
    "verbs": """changes follows needs supports replaces measures carries delays explains limits funds opens crosses
        protects reaches describes divides repairs outlasts resembles""".split(),
    "people": ["researchers", "the ministry", "two engineers", "residents", "the committee", "several editors",
               "an auditor", "the union", "lawyers in the case", "a former director"],
    "said": ["said", "argued", "found", "wrote", "expected", "denied", "reported", "conceded"],
    "some": ["some", "every", "another", "the first", "no", "the same", "hardly any", "each"],
    "places": ["on the coast", "in the capital", "at the border", "over ten years", "in most regions",
               "during the winter", "since the reform", "across the delta"],
}


def other(words, space=" ", stop="."):
    return {"words": words.split(), "space": space, "stop": stop}


OTHERS = {
    "ar": other("""في من على المدينة التقرير الجديد إلى السوق المجلس التاريخ النهر الشبكة القانون بعد قبل الحكومة الميناء
        الطريق الكتاب العالم السنة البحث القرار العمل الماء المدرسة الحدود الرسالة""", stop="."),
    "el": other("""και το της πόλη αναφορά νέα στην αγορά το συμβούλιο ιστορία ποταμός δίκτυο νόμος μετά κυβέρνηση λιμάνι
        δρόμος βιβλίο κόσμος έτος έρευνα απόφαση εργασία νερό σχολείο σύνορα"""),
    "hi": other("""और का में शहर रिपोर्ट नया बाजार परिषद इतिहास नदी जाल कानून बाद सरकार बंदरगाह सड़क किताब दुनिया वर्ष खोज
        निर्णय काम पानी विद्यालय सीमा पत्र लोग समय""", stop="।"),
    "ja": other("""都市の 報告は 新しい 市場を 評議会が 歴史と 川の 通信網 法律に 政府が 港から 道路を 本の 世界で 毎年 研究して
        決定した 仕事を 水が 学校へ 国境の 手紙を 変わった 続いている""", space="", stop="。"),
    "ru": other("""и в на город отчёт новый рынок совет история река сеть закон после правительство порт дорога книга мир
        год исследование решение работа вода школа граница письмо люди время вопрос"""),
    "zh": other("""城市 的 报告 新 市场 委员会 历史 在 河流 网络 法律 之后 政府 港口 道路 书 世界 每年 研究 决定 工作 水 学校
        边界 信件 人们 时间 改变了""", space="", stop="。"),
}

SURNAMES = ["Ada Moreau", "Jonas Weber", "Lina Haddad", "Mei Tanaka", "Piotr Nowak", "Inés Ferrer", "Tomás Oliveira",
            "Greta Lindqvist", "Omar Farouk", "Noor Rahman", "Elena Petrova", "Yannis Kostas", "Ruth Adler",
            "Samuel Okoro", "Hana Kim", "Luca Marino", "Sofia Rossi", "Björn Åkesson", "Amara Diallo", "Peter Novák",
            "Clara Vogel", "Rajiv Menon", "Leila Aziz", "Daniel Brooks"]

TAGS = ("""Politics Economy Science Security Culture Climate Health Energy Transport Law Education Trade Research Privacy
    Oceans Farming Housing Labour Space Software Hardware Elections Courts Budget Museums Music Books Film Theatre Food
    Travel Cities Rivers Forests Mining Steel Shipping Aviation Railways Roads Bridges Ports Borders Migration Treaties
    Councils Embassies Archives Libraries Schools Universities Languages History Maps Statistics Networks Cables
    Satellites Batteries Solar Wind Nuclear Water Floods Fires Storms Heat Ice Insurance Banking Taxes Pensions Prices
    Wages Unions Strikes Startups Patents Standards Encryption Passwords Phishing Databases Compilers Browsers Printing
    Fonts Design Photography Radio Television Newspapers Letters""").split()

CODE = {
    "bash": ["""set -euo pipefail
for file in NOUN/*.csv; do
    lines=$(wc -l <"$file")
    [ "$lines" -gt 17 ] || continue
    echo "$file: $lines" >>"OTHER.log"
done""", """curl --fail --silent "https://example.com/NOUN?page=17" |
    jq -r '.OTHER[] | select(.size > 17) | .name' |
    sort -u >NOUN.txt"""],
    "python": ["""def NOUN_OTHER(rows, limit=17):
    \"\"\"Those of the rows that are above the limit.\"\"\"
    found = {}
    for row in rows:
        if row["OTHER"] > limit and "NOUN" not in row:
            found.setdefault(row["id"], []).append(row)
    return sorted(found.items(), key=lambda pair: len(pair[1]), reverse=True)""", """@dataclass
class OTHER:
    name: str
    NOUN: float = 17.5

    def scaled(self, by: float) -> "OTHER":
        # half of it stays as it was
        return OTHER(self.name, self.NOUN * by / 2)"""],
    "javascript": ["""async function NOUN(OTHER, { limit = 17 } = {}) {
  const answer = await fetch(`/api/NOUN?of=${OTHER}&limit=${limit}`);
  if (!answer.ok) throw new Error(`no NOUN: ${answer.status}`);
  return (await answer.json()).filter((one) => one.VERB !== null); // the rest is empty
}"""],
    "rust": ["""/// Splits what was read at its first `NOUN`.
pub fn VERB<'a>(text: &'a str, limit: usize) -> Option<(&'a str, &'a str)> {
    let mut seen = HashMap::with_capacity(17);
    for (index, line) in text.lines().enumerate().take(limit) {
        *seen.entry(line.len()).or_insert(0u64) += index as u64;
    }
    text.split_once("NOUN").filter(|(before, _)| before.len() > 17)
}""", """#[derive(Debug, Clone)]
struct OTHER {
    NOUN: Vec<u8>,
    VERB: Option<Box<str>>,
}"""],
    "sql": ["""SELECT NOUN.id, count(*) AS OTHERS, max(VERB.made_at) AS last
FROM NOUN
JOIN VERB ON VERB.NOUN_id = NOUN.id
WHERE NOUN.state = 'open' AND VERB.size > 17
GROUP BY NOUN.id
HAVING count(*) > 3
ORDER BY last DESC;"""],
    "json": ["""{
  "NOUN": { "id": 17, "name": "OTHER", "open": true },
  "VERB": [1.5, 17, null, "NOUN"],
  "links": { "self": "https://example.com/NOUN/17" }
}"""],
    "go": ["""func NOUN(items []Item, limit int) (map[string]int, error) {
	seen := make(map[string]int, len(items))
	for _, item := range items {
		if item.OTHER > limit {
			return nil, fmt.Errorf("NOUN %q is above %d", item.Name, 17)
		}
		seen[item.Name]++
	}
	return seen, nil
}"""],
    "html": ["""<section class="NOUN" id="OTHER-17">
  <h2>The NOUN</h2>
  <p>See <a href="/OTHER/">the OTHER</a> &amp; more.</p>
</section>"""],
    "css": [""".NOUN > .OTHER:not(:first-child) {
  margin-block: 1.5rem 17px;
  color: #123456; /* as printed */
}"""],
    "toml": ["""[NOUN]
name = "OTHER"
limit = 17
paths = ["a", "b"]"""],
}
