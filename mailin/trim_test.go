package mailin

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mailroom/locales"
)

func TestNewText(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing quoted":      {"Hello\n\nworld\n", "Hello\n\nworld"},
		"top posting":         {"Yes.\n\nOn Mon, 3 May 2026, Alice wrote:\n> Shall we?\n> Really?\n", "Yes."},
		"attribution wrapped": {"Yes.\n\nOn Mon, 3 May 2026 at 10:00, Alice Liddell\n<alice@example.org>\nwrote:\n\n> Shall we?\n", "Yes."},
		"bottom posting":      {"On Mon, 3 May 2026, Alice wrote:\n> Shall we?\n\nYes.\n", "Yes."},
		"inline answers":      {"On Mon, 3 May 2026, Alice wrote:\n> Friday?\nYes.\n> With cake?\nOf course.\n> Bye\n", "> Friday?\nYes.\n> With cake?\nOf course."},
		"long quote before an inline answer": {"Hi,\n\nOn 3 May 2026 Alice wrote:\n> 1\n> 2\n> 3\n> 4\n> 5\n> 6\n> 7\nYes to 7.\n",
			"Hi,\n\n> 3\n> 4\n> 5\n> 6\n> 7\nYes to 7."},
		"text right above the attribution": {"See you at 10:00\nAlice wrote:\n> Shall we?\n", "See you at 10:00"},
		"words around a quote":             {"Yes.\n\nOn Mon, 3 May 2026, Alice wrote:\n> Shall we?\n\nRegards, Bob\n", "Yes.\n\n\nRegards, Bob"},
		"date and address alone":           {"Yes.\n\n03.05.2026, 10:00, \"Alice\" <alice@example.org>:\n> Shall we?\n", "Yes."},
		"forwarded mail":                   {"FYI\n\n---------- Forwarded message ---------\nFrom: Dan\nDate: 3 May 2026\nSubject: x\nTo: Alice\n\nText\n> old\n", "FYI\n\n---------- Forwarded message ---------\nFrom: Dan\nDate: 3 May 2026\nSubject: x\nTo: Alice\n\nText\n> old"},
		"forwarded mail in what is quoted": {"Yes.\n\nFrom: Alice\nSent: Monday\nTo: Bob\nSubject: x\n\nSee:\n---------- Forwarded message ---------\nText\n", "Yes."},
		"header that begins with the date": {"Yes.\n\n-----\nDate: Monday\nSubject: x\nFrom: Alice\nTo: Bob\n\nShall we?\n", "Yes."},
		"only a quote":                     {"> Shall we?\n", "> Shall we?"},
		"nested quotes":                    {"No.\n\nAlice wrote on 2026-05-03:\n> > deep\n>\n> shallow\n", "No."},
		"signature":                        {"Yes.\n\n-- \nBob\nCEO\n", "Yes."},
		"signature above the quote":        {"Yes.\n\n-- \nBob\n\nOn Mon, 3 May 2026, Alice wrote:\n> Shall we?\n", "Yes."},
		"signature below the quote":        {"Yes.\n\nOn Mon, 3 May 2026, Alice wrote:\n> Shall we?\n\n-- \nBob\n", "Yes."},
		"signature line without space":     {"Yes.\n\n--\nBob\n", "Yes."},
		"dashes that are no signature":     {"Options:\n--verbose\n--quiet\n", "Options:\n--verbose\n--quiet"},
		"sent from":                        {"Yes.\n\nSent from my iPhone\n\nOn 3 May 2026, at 10:00, Alice <alice@example.org> wrote:\n\n> Shall we?\n", "Yes."},
		"sent from is what was said":       {"Sent from my heart\n", "Sent from my heart"},
		"the name at the end stays":        {"Thanks,\nAlex\n\nOn Mon, 3 May 2026, Alice wrote:\n> Shall we?\n", "Thanks,\nAlex"},
		"a person who quotes":              {"I asked Bob. He wrote:\nnever again in 2026\n", "I asked Bob. He wrote:\nnever again in 2026"},
		"code with angle brackets":         {"Try this:\n\nif a\n  b > c\n", "Try this:\n\nif a\n  b > c"},
		"quote without marks":              {"Yes.\n\nAm 03.05.2026 um 10:00 schrieb Alice <alice@example.org>:\n\nWollen wir?\n", "Yes."},
		"Outlook header":                   {"Yes.\n\nFrom: Alice <alice@example.org>\nSent: Monday, May 3, 2026 10:00 AM\nTo: Bob\nSubject: Tomorrow\n\nShall we?\n", "Yes."},
		"Outlook header, ruler":            {"Yes.\n________________________________\nVon: Alice\nGesendet: Montag, 3. Mai 2026 10:00\nAn: Bob\nBetreff: Morgen\n\nWollen wir?\n", "Yes."},
		"Outlook header, bold":             {"Oui.\n\n*De :* Alice\n*Envoyé :* lundi 3 mai 2026 10:00\n*À :* Bob\n*Objet :* Demain\n\nOn y va ?\n", "Oui."},
		"Outlook header, Japanese":         {"はい。\n\n差出人: Alice\n送信日時: 2026年5月3日 10:00\n宛先: Bob\n件名: 明日\n\n行く？\n", "はい。"},
		"original message":                 {"Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Alice\nWollen wir?\n", "Ja."},
		"a list of From and To is kept":    {"From: Berlin\nTo: Hamburg\nPrice: 30\n", "From: Berlin\nTo: Hamburg\nPrice: 30"},
		"header first, nothing above":      {"From: Alice\nSent: Monday\nTo: Bob\nSubject: x\n\nShall we?", "From: Alice\nSent: Monday\nTo: Bob\nSubject: x\n\nShall we?"},
		"Outlook header, no subject":       {"Yes.\n\nFrom: Alice <alice@example.org>\nSent: Monday\nTo: Bob\n\nShall we?\n", "Yes."},
		"header below a ruler":             {"Yes.\n\n-----\n\nFrom: Alice\nSent: Monday\nTo: Bob\n\nShall we?\n", "Yes."},
		"sent with a program":              {"Yes.\n\nSent with Proton Mail secure email.\n", "Yes."},
		"sent from, German":                {"Ja.\n\nVon meinem Samsung Galaxy Smartphone gesendet.\n", "Ja."},
		"quote without marks, no year":     {"Yes.\n\nOn 3 May at 10:00, Alice wrote:\n\nShall we?\n", "Yes."},
		"a card below dashes":              {"Yes.\n\n—\nBob Builder\nBuilders Ltd\n+44 20 7946 0000\n", "Yes."},
		"CRLF and trailing spaces":         {"Yes.  \r\n\r\n> q\r\n", "Yes."},
		"empty":                            {" \n\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			kept, elided := NewText(c.text)
			require.Equal(t, c.want, kept)
			require.Equal(t, c.want == strings.TrimSpace(c.text) || c.want == "", elided == "", elided)
		})
	}
}

func TestWordsThatLookLikeAQuoteOrASignatureStay(t *testing.T) {
	for name, text := range map[string]string{
		"a journey":            "Hello,\n\nFrom: Berlin\nTo: Paris\nDate: 3 May\n\nPlease book it for two.",
		"sent with a carrier":  "The boxes are on their way.\n\nSent with DHL, tracking 12345",
		"sent from a place":    "It is here.\nSent from the Berlin office, 3 boxes",
		"sent from, German":    "Ist da.\nGesendet von Halle nach Berlin, 3 Kisten",
		"sent from, French":    "C'est fait.\nEnvoyé depuis Paris, 3 cartons",
		"dashes between":       "First.\n\n--\nNow to the second point, which is longer.\nIs it good?",
		"a long dash between":  "First.\n\n—\nSecond\nThird\nFourth\nFifth\nSixth",
		"what somebody said":   "So it was.\n\nOn Tuesday 12:00 Anna said:\nwe shall move, and so we did.",
		"said, with a date":    "So it was.\n\nOn Tuesday, 3 May 2026 Anna said:\nwe shall move, and so we did.",
		"written at some time": "So it was.\n\nOn Tuesday 12:00 Anna wrote:\nwe shall move, and so we did.",
	} {
		t.Run(name, func(t *testing.T) {
			kept, _ := NewText(text)
			require.Equal(t, text, kept)
			require.Equal(t, text, WithoutSignature(text))
		})
	}
}

func TestAttributionsOfManyLanguages(t *testing.T) {
	for _, line := range []string{
		"On Mon, Nov 23, 2026 at 10:00 AM Alice Liddell <alice@example.org> wrote:",
		"Am Mo., 23. Nov. 2026 um 10:00 Uhr schrieb Alice <alice@example.org>:",
		"Am 23.11.26 um 10:00 schrieb Alice:",
		"Le lun. 23 nov. 2026 à 10:00, Alice <alice@example.org> a écrit :",
		"El lun, 23 nov 2026 a las 10:00, Alice (<alice@example.org>) escribió:",
		"Il giorno lun 23 nov 2026 alle ore 10:00 Alice <alice@example.org> ha scritto:",
		"Em seg., 23 de nov. de 2026 às 10:00, Alice <alice@example.org> escreveu:",
		"Op ma 23 nov 2026 om 10:00 schreef Alice <alice@example.org>:",
		"pon., 23 lis 2026 o 10:00 Alice <alice@example.org> napisał(a):",
		"Den mån 23 nov. 2026 kl 10:00 skrev Alice <alice@example.org>:",
		"ma 23. marrask. 2026 klo 10.00 Alice (alice@example.org) kirjoitti:",
		"пн, 23 нояб. 2026 г. в 10:00, Alice <alice@example.org> написал(а):",
		"пн, 23 лист. 2026 р. о 10:00 Alice <alice@example.org> пише:",
		"po 23. 11. 2026 v 10:00 odesílatel Alice <alice@example.org> napsal:",
		"Alice <alice@example.org> ezt írta (időpont: 2026. nov. 23., H, 10:00):",
		"Alice <alice@example.org>, 23 Kas 2026 Pzt, 10:00 tarihinde şunu yazdı:",
		"În lun., 23 nov. 2026 la 10:00, Alice <alice@example.org> a scris:",
		"Στις Δευ 23 Νοε 2026 στις 10:00 π.μ., ο/η Alice <alice@example.org> έγραψε:",
		"2026年11月23日(月) 10:00 Alice <alice@example.org>さんのメール:",
		"2026年11月23日 10:00，Alice <alice@example.org> 写道：",
		"2026년 11월 23일 (월) 오전 10:00, Alice <alice@example.org>님이 작성:",
		"Vào 10:00 Th 2, 23 thg 11, 2026 Alice <alice@example.org> đã viết:",
		"في الاثنين، 23 نوفمبر 2026 في 10:00 ص كتب Alice <alice@example.org>:",
		"‫בתאריך יום ב׳, 23 בנוב׳ 2026 ב-10:00 מאת ‪Alice‬‏ <‪alice@example.org‬‏> כתב:",
		"सोम, 23 नव॰ 2026 को 10:00 am बजे को Alice <alice@example.org> ने लिखा:",
		"Mnamo Jum, 23 Nov 2026 saa 10:00 Alice <alice@example.org> aliandika:",
		"Pada Sen, 23 Nov 2026 10.00, Alice <alice@example.org> menulis:",
	} {
		kept, elided := NewText("New.\n\n" + line + "\n\n> Old.\n")
		require.Equal(t, "New.", kept, line)
		require.Contains(t, elided, "Old.")
		wrapped := strings.Replace(line, " Alice", "\nAlice", 1)
		kept, _ = NewText("New.\n\n" + wrapped + "\n> Old.\n")
		require.Equal(t, "New.", kept, wrapped)
	}
}

func TestOwnDelimiterCutsInEveryLanguage(t *testing.T) {
	for _, lang := range locales.Default().Languages() {
		line := locales.Default().For(lang).T("mail.reply_above")
		kept, elided := NewText("New.\n\nwhatever this program writes\n\n" + line + "\nOld.\n")
		require.Equal(t, "New.\n\nwhatever this program writes", kept)
		require.Equal(t, line+"\nOld.", elided)
		kept, _ = NewText("Alice, 23. 11. 2026 10:00 napsal:\n> " + line + "\n> Old.\nNew.\n")
		require.Equal(t, "New.", kept)
		kept, elided = NewText(line + "\nNothing new stands above.\n")
		require.Contains(t, kept, "Nothing new")
		require.Empty(t, elided)
	}
}

func TestWithoutSignature(t *testing.T) {
	require.Equal(t, "See:\n> quoted", WithoutSignature("See:\n> quoted\n\n-- \nBob\n"))
	require.Equal(t, "-- \nBob", WithoutSignature("-- \nBob"))
}

func TestManyInlineAnswersAreAllKept(t *testing.T) {
	var text, want strings.Builder
	text.WriteString("On Mon, 3 May 2026, Alice wrote:\n")
	for range 500 {
		text.WriteString("> question\nanswer\n")
		want.WriteString("> question\nanswer\n")
	}
	text.WriteString("> the end\n")
	kept, _ := NewText(text.String())
	require.Equal(t, strings.TrimSpace(want.String()), kept)
}

// Quadratic time is 1024 times as long for 32 times as much. Ours gets six times
// of what is due, for the noise of a busy machine; the least of a few runs counts.
func TestTrimmingTakesLinearTime(t *testing.T) {
	const small, large = 1 << 15, 1 << 20
	repeated := func(unit string) func(int) string {
		return func(size int) string { return strings.Repeat(unit, size/len(unit)) }
	}
	for name, text := range map[string]func(size int) string{
		"quotes":       repeated("> a\nb\n"),
		"attributions": repeated("On 3 May 2026 10:00 a@b.c wrote:\nx\n"),
		"headers":      repeated("From: a\nFrom: b\n"),
		"blank":        repeated("\n"),
		"quoted blank": repeated("> \n\n"),
		"colons":       repeated("a:\n\n"),
		"a long line":  func(size int) string { return strings.Repeat("On ", size/3) + ":\n" },
		"dashes":       repeated("-- \n"),
		"top and many": repeated("> \n"),
		"deep":         repeated(strings.Repeat(">", 1000) + "\n"),
	} {
		mixed := func(size int) string { return text(size/2) + strings.Repeat("> a\nb\n", size/2/6) }
		for _, shape := range []func(int) string{text, mixed} {
			fast, slow := trimTime(shape(small)), trimTime(shape(large))
			require.Less(t, slow, 6*32*max(fast, time.Millisecond), "%s: %v for %d bytes, %v for %d", name, fast, small, slow, large)
		}
	}
}

// trimTime is the least time of three runs.
func trimTime(text string) time.Duration {
	least := time.Hour
	for range 3 {
		began := time.Now()
		NewText(text)
		least = min(least, time.Since(began))
	}
	return least
}
