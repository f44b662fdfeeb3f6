package webui

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/globaltask/gtf"
	"github.com/globaltask/gtf/internal/web"
)

// look is how a status is shown. The class and the glyph have its wire name.
var statusWords = map[gtf.Status]string{
	gtf.StatusPending: "Pending", gtf.StatusInProgress: "In progress", gtf.StatusAborting: "Aborting", gtf.StatusSuccess: "Success",
	gtf.StatusFailure: "Failed", gtf.StatusAborted: "Aborted", gtf.StatusTimedOut: "Timed out",
}

// statusWord is what people call a status; one of a newer version by its wire name.
func statusWord(s gtf.Status) string { return or(statusWords[s], string(s)) }

var scopeWords = map[gtf.Scope]string{gtf.ScopePrivate: "Private", gtf.ScopeShared: "Shared", gtf.ScopeSystem: "System"}

func scopeWord(s gtf.Scope) string { return or(scopeWords[s], string(s)) }

const none = "–"

// statusNote says what is behind a status.
func statusNote(t *gtf.Task, now time.Time) string {
	switch t.Status {
	case gtf.StatusPending:
		return pendingNote(t, now)
	case gtf.StatusInProgress:
		return join(", ", t.Progress.String(), etaText(t, now))
	case gtf.StatusSuccess:
		if took, ok := t.Duration(now); ok {
			return "Finished " + web.Ago(now, t.EndedAt) + ", took " + web.Duration(took)
		}
	case gtf.StatusFailure:
		return cut(oneLine(t.Error), 300)
	case gtf.StatusTimedOut:
		if t.StartedAt.IsZero() {
			return join(". ", "It waited longer than its maximum queue time", cut(oneLine(t.Error), 300))
		}
		return join(". ", "Stopped after its limit of "+web.Duration(t.Timeout), cut(oneLine(t.Error), 300))
	case gtf.StatusAborting, gtf.StatusAborted:
		return askedNote(t, now)
	}
	return ""
}

func pendingNote(t *gtf.Task, now time.Time) string {
	text := "Waiting for a worker, " + web.Duration(now.Sub(t.CreatedAt))
	if t.DueAt.After(now) {
		text = "Due " + web.Ago(now, t.DueAt)
	}
	if t.Attempt > 0 {
		return fmt.Sprintf("%s, for attempt %d of %d", text, t.Attempt+1, t.MaxAttempts)
	}
	return text
}

func askedNote(t *gtf.Task, now time.Time) string {
	switch {
	case t.AbortReason == gtf.AbortByTimeout:
		return "Its limit of " + web.Duration(t.Timeout) + " has passed"
	case t.AbortedBy.IsZero() || t.AbortedBy.ID == gtf.HostName:
		return join(", ", "Asked by the system", since(now, t.AbortedAt))
	}
	return join(", ", "Asked by "+t.AbortedBy.DisplayName(), since(now, t.AbortedAt))
}

func since(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return web.Ago(now, at)
}

func etaText(t *gtf.Task, now time.Time) string {
	if left, ok := t.ETA(now); ok {
		return "ETA " + web.Duration(left)
	}
	return ""
}

// runText is how long the current or last attempt has run.
func runText(t *gtf.Task, now time.Time) string {
	if d, ok := t.Duration(now); ok {
		return web.Duration(d)
	}
	return none
}

func join(between string, parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, between)
}

// unlimitedWarning says of a running task that its time limit cannot be enforced (S8.2); empty where it can.
func unlimitedWarning(t *gtf.Task) string {
	if t.Status != gtf.StatusInProgress || t.Timeout <= 0 || t.Abortable {
		return ""
	}
	if t.TimeoutWarning {
		return "The limit of " + web.Duration(t.Timeout) + " has passed, but this task has no abort handler, so it runs on."
	}
	return "A limit of " + web.Duration(t.Timeout) + " is set, but this task has no abort handler, so it will run on."
}

// instant is a time for people and for scripts, which show it in the zone of the browser.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

func number(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func oneLine(text string) string { return strings.Join(strings.Fields(plain(text)), " ") }

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[A-Za-z]|\\][^\x07]*\x07)")

// plain is a text without what only a terminal understands.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, escapes.ReplaceAllString(text, ""))
}

// title is what a task is called. A name of nothing that can be seen would be a link that nobody can click.
func title(t *gtf.Task) string {
	text := strings.TrimFunc(oneLine(t.Title()), func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
	return or(text, t.ID.String())
}

// faceText is the initials of somebody, or the number of a guest.
func faceText(kind gtf.PrincipalKind, name string, guest int) string {
	if kind == gtf.KindGuest && guest > 0 {
		return "G" + strconv.Itoa(guest)
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(words) == 0 {
		return "?"
	}
	initials := string([]rune(words[0])[:1])
	if len(words) > 1 {
		initials += string([]rune(words[len(words)-1])[:1])
	}
	return strings.ToUpper(initials)
}

// faceColour is one of six, the same for somebody everywhere.
func faceColour(kind gtf.PrincipalKind, id string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(string(kind) + ":" + id)) // a hash takes everything
	return "f" + strconv.Itoa(int(sum.Sum32()%6))
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}
