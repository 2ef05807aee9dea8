package mailin

import (
	"regexp"
	"strings"
)

// opener begins an attribution, in the languages that say when first.
var opener = regexp.MustCompile(`(?i)^\s*[>*_-]*(on|am|le|el|em|op|il|in data|w dniu|dnia|den|dne|dňa|la|pe|în data|a|tarihinde|στις|kirjoitti|pada|tarehe|vào|في|בתאריך|ב-?|в|ngày|\d{1,4}[./年-]|mon|tue|wed|thu|fri|sat|sun|mo\.?|di\.?|mi\.?|do\.?|fr\.?|sa\.?|so\.?|пн|вт|ср|чт|пт|сб|вс)[\s,.:\d-]`)

// wrote holds the words for "wrote" as mail programs use them. Case is folded.
var wrote = regexp.MustCompile(`(?i)(` + strings.Join([]string{
	`\bwrote\b`, `\bwrites\b`, `\bsaid\b`,
	`\bschrieb\b`, `\bgeschrieben\b`, `\bschreibt\b`,
	`a écrit`, `écrit\b`, `a ecrit`,
	`\bescribió`, `\bescribio\b`, `\bescrib(ía|e)\b`, `\bva escriure\b`, `\bescreveu\b`, `\bescreve\b`,
	`ha scritto`, `\bscrisse\b`, `\bscrive\b`,
	`\bschreef\b`, `geschreven`, `het volgende`,
	`\bskrev\b`, `\bskreiv\b`, `\bskrifaði`, `kirjoitti`,
	`napisał`, `pisze\b`, `napsal`, `napísal`, `napisao`, `napisala`, `je pisal`, `napisal`,
	`írta`, `a scris`, `yazdı`, `şunu yazdı`, `rašė`, `rakstīja`, `kirjutas`, `shkroi`, `idatzi du`, `scrobh`,
	`написа`, `пише`, `έγραψε`, `đã viết`, `menulis`, `aliandika`, `scríobh`,
	`写道`, `寫道`, `寫到`, `写了`, `のメール`, `書きました`, `書かれました`, `さんは`, `님이 작성`, `작성:`, `쓴 글`, `님께서 작성`,
	`كتب`, `כתב`, `ने लिखा`, `लिखा`, `เขียน`,
}, "|") + `)`)

var (
	dateOrAddress = regexp.MustCompile(`\d|@`)
	yearOrAddress = regexp.MustCompile(`\b(19|20)\d{2}\b|@[\w-]+\.\w|[0-9]年`)
	dateAlone     = regexp.MustCompile(`\d{1,2}:\d{2}|\b(19|20)\d{2}\b`)
	addressAlone  = regexp.MustCompile(`[<(\[]\s*\S+@[\w-]+\.[\w.-]+[>)\]]`)
	timeOfDay     = regexp.MustCompile(`\d{1,2}:\d{2}(:\d{2})?`)
	digit         = regexp.MustCompile(`\d`)
	said          = regexp.MustCompile(`(?i)\bsaid\b`)
)

// maxAttributionLength is how long an attribution is at most, in bytes.
const maxAttributionLength = 500

// isAttribution says if the words above a quote say who wrote it: by a word for
// it, or by a date and an address alone, as some programs do.
func isAttribution(line string) bool {
	line = strings.TrimRight(line, " \t*_")
	if len(line) > maxAttributionLength {
		return false
	}
	return endsOpen(line) && wrote.MatchString(line) || dateAlone.MatchString(line) && addressAlone.MatchString(line)
}

func endsOpen(line string) bool {
	for _, end := range []string{":", "：", "---", "…", "..."} {
		if strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}

// cutAtUnmarkedQuote cuts at an attribution whose quote has no marks, as some
// programs and HTML without structure leave it. It must be a clear one, with a
// date or an address, and words must stand above it.
func (t *trimmer) cutAtUnmarkedQuote() {
	for i := 1; i < len(t.lines); i++ {
		line := t.lines[i]
		if t.gone[i] || isQuoted(line) || !endsOpen(strings.TrimRight(line, " \t*_")) {
			continue
		}
		start := t.attributionBefore(i + 1)
		if start > i || !t.clearAttribution(start, i) || !t.unmarkedBelow(i+1) || !t.anyText(0, start) {
			continue
		}
		t.dropRest(start)
		return
	}
}

// clearAttribution says if lines are what a program writes: people, too, say that
// "On Tuesday 12:00 Anna said:", but neither the date nor an address.
func (t *trimmer) clearAttribution(start, end int) bool {
	joined := strings.Join(t.lines[start:end+1], " ")
	if strings.Contains(joined, "@") {
		return yearOrAddress.MatchString(joined)
	}
	untimed := timeOfDay.ReplaceAllString(joined, "")
	dated := yearOrAddress.MatchString(joined) || untimed != joined && digit.MatchString(untimed)
	return dated && opener.MatchString(joined) && wrote.MatchString(said.ReplaceAllString(joined, ""))
}

// unmarkedBelow says if the next words are not marked as a quote.
func (t *trimmer) unmarkedBelow(i int) bool {
	for ; i < len(t.lines); i++ {
		if !t.blank(i) {
			return !isQuoted(t.lines[i])
		}
	}
	return false
}

// label is one name of a header field as mail programs translate it.
type label int

const (
	labelFrom label = iota
	labelSent
	labelTo
	labelSubject
)

// labels are the names of the fields in the header block that Outlook, Apple
// Mail and others put before what they quote, in lower case and without spaces.
var labels = labelTable(map[label]string{
	labelFrom:    "from von de da van od från fra lähettäjä от від feladó kimden gönderen de la από expéditeur remitente mittente 差出人 送信元 发件人 寄件者 寄件人 보낸사람 보낸이 من מאת प्रेषक dari kutoka từ desde afzender frá no saatja siuntėjas",
	labelSent:    "sent date gesendet datum envoyé date enviado enviada fecha inviato data verzonden wysłano wysłane skickat sendt dato lähetetty päivämäärä отправлено дата надіслано odesláno küldve elküldve dátum gönderildi tarih trimis ημερομηνία στάλθηκε 送信日時 日付 发送时间 日期 發送日期 寄件日期 보낸날짜 날짜 التاريخ נשלח भेजा dikirim tanggal ilitumwa đãgửi",
	labelTo:      "to an à para a aan do till til vastaanottaja кому komu címzett kime alıcı către προς 宛先 收件人 收件者 받는사람 إلى אל प्रति kepada kwa đến destinataire destinatario",
	labelSubject: "subject betreff objet asunto assunto oggetto onderwerp temat ämne emne aihe тема předmět predmet tárgy konu subiect θέμα 件名 主题 主題 主旨 제목 الموضوع נושא विषय perihal mada chủđề",
})

func labelTable(names map[label]string) map[string]label {
	table := map[string]label{}
	for _, l := range []label{labelFrom, labelSent, labelTo, labelSubject} {
		for _, name := range strings.Fields(names[l]) {
			if _, taken := table[name]; !taken {
				table[name] = l
			}
		}
	}
	return table
}

// maxLabel is how long the name of a field is at most, in bytes.
const maxLabel = 40

// labelOf reads "From: …", "*Von:* …" or "差出人：…".
func labelOf(line string) (label, bool) {
	line = strings.TrimLeft(line, " \t>*_")
	colon := strings.IndexAny(line, ":：")
	if colon <= 0 || colon > maxLabel {
		return 0, false
	}
	name := strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '*' || r == '_' || r == '\u00a0' {
			return -1
		}
		return r
	}, line[:colon]))
	l, ok := labels[name]
	return l, ok
}

// headerBlockLines is within how many lines a quoted header says its fields.
const headerBlockLines = 8

// isHeaderBlock says if a quoted header begins at line i: three of sender, date,
// recipient and subject close together, the sender among them. People, too, write
// "From: Berlin", "To: Paris" and "Date: 3 May" below each other: it takes a
// subject, an address or a ruler above to tell a mail.
func (t *trimmer) isHeaderBlock(i int) bool {
	if _, ok := labelOf(t.lines[i]); !ok {
		return false
	}
	seen, address := map[label]bool{}, false
	for j := i; j < len(t.lines) && j < i+headerBlockLines; j++ {
		if l, ok := labelOf(t.lines[j]); ok {
			seen[l] = true
			address = address || (l == labelFrom || l == labelTo) && strings.Contains(t.lines[j], "@")
		}
	}
	return len(seen) >= 3 && seen[labelFrom] && (seen[labelSubject] || address || t.belowRuler(i))
}

// belowRuler says if the next words above a line are a ruler.
func (t *trimmer) belowRuler(i int) bool {
	for i--; i >= 0 && t.blank(i); i-- {
	}
	return i >= 0 && ruler.MatchString(t.lines[i])
}

// ruler is the line above a quoted header: dashes or underscores, with or
// without words between them.
var ruler = regexp.MustCompile(`^\s*(_{5,}|-{2,}.{0,60}-{2,}|={5,}|-{3,})\s*$`)

// originalMessage is a ruler that says what follows, in the words of many programs.
var originalMessage = regexp.MustCompile(`(?i)^\s*-{2,}\s*(original( message)?|original appointment|ursprüngliche nachricht|originalnachricht|message d'origine|message original|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|opprinnelig melding|alkuperäinen viesti|wiadomość oryginalna|исходное сообщение|původní zpráva|eredeti üzenet|özgün ileti|mesajul original|元のメッセージ|原始邮件|原始郵件|원본 메시지|원본 메일)\s*-{2,}\s*$`)

// cutAtHeaderBlock cuts at the header that Outlook and others put before the
// mail that they quote without marks. Words must stand above it.
func (t *trimmer) cutAtHeaderBlock() {
	for i, line := range t.lines {
		if t.gone[i] || isQuoted(line) {
			continue
		}
		if !originalMessage.MatchString(line) && !t.isHeaderBlock(i) {
			continue
		}
		start := i
		for start > 0 && (t.blank(start-1) || ruler.MatchString(t.lines[start-1])) {
			start--
		}
		if t.anyText(0, start) {
			t.dropRest(start)
		}
		return
	}
}

// forwarded begins what a person hands on: that is no quote, however it looks.
var forwarded = regexp.MustCompile(`(?i)^\s*(-{2,}\s*(forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|mensagem encaminhada|messaggio inoltrato|doorgestuurd bericht|vidarebefordrat meddelande|videresendt (besked|melding)|wiadomość przekazana|пересылаемое сообщение|přeposlaná zpráva|továbbított üzenet|iletilen mesaj|転送メッセージ|转发的邮件|轉寄郵件|전달된 메시지)\s*-{2,}|(begin forwarded message|anfang der weitergeleiteten nachricht|début du message transféré|inizio messaggio inoltrato|inicio del mensaje reenviado)\s*:)\s*$`)
