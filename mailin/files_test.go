package mailin

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/content"
)

func TestLinesAboutFilesNeverMakeAMessageTooLong(t *testing.T) {
	files := make([]file, maxNamed+1)
	for i := range files {
		files[i] = file{Name: strings.Repeat("&", 200), Type: "image/png", Size: 1 << 20}
	}
	longest := content.Body{Text: strings.Repeat("a", content.MaxText), HTML: strings.Repeat("a", content.MaxSafeHTML)}
	b := withFiles(longest, files, "en")
	require.LessOrEqual(t, len(b.Text), bridge.MaxBody)
	require.Empty(t, b.HTML, "it no longer fits")
	require.Contains(t, b.Text, "[and 1 more file]")

	short := withFiles(content.Body{Text: "See", HTML: "<b>See</b>"}, files[:1], "en")
	require.True(t, strings.HasPrefix(short.HTML, "<b>See</b><p>[File: &amp;"), short.HTML)
}
