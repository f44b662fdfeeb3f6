package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/globaltask/gtf"
)

// ClientOpts of [NewClient].
type ClientOpts struct {
	// HTTPClient sends the requests. Its Timeout would end event streams; contexts bound the rest. Default
	// [http.DefaultClient].
	HTTPClient *http.Client
	// Retries is how often a request that only reads is sent again, when the server cannot be reached or says that it cannot
	// answer now. Negative: never. Default 3.
	Retries int
	// Token says who asks, as a bearer token. Default none.
	Token string
}

// Client asks a server for tasks. Its methods are those of [gtf.Client], and so are its errors: ErrNotFound, ErrForbidden,
// ErrFinished, ErrNotAbortable, [*gtf.ExpectError], [*gtf.ValidationError], and ErrUnavailable for a server that cannot be
// reached or cannot answer. Besides there are [ErrUnauthorized], [*RateError] and, for all other answers, [*AnswerError]. A
// server whose gtf is switched off is ErrDisabled.
//
// Who asks is not in the context, but in the token. Methods may be called by many goroutines.
type Client struct {
	base *url.URL
	opts ClientOpts
}

// NewClient makes a client of the handler that is mounted at a URL, like https://example.com/gtf. It asks for nothing yet. nil
// opts are the zero ones.
func NewClient(baseURL string, opts *ClientOpts) (*Client, error) {
	c := &Client{}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.HTTPClient == nil {
		c.opts.HTTPClient = http.DefaultClient
	}
	switch {
	case c.opts.Retries == 0:
		c.opts.Retries = 3
	case c.opts.Retries < 0:
		c.opts.Retries = 0
	}
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the server's URL %q is not like https://example.com/gtf", redacted(baseURL, base))
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	c.base = base
	return c, nil
}

// redacted hides a password.
func redacted(text string, parsed *url.URL) string {
	if parsed == nil {
		return "…" // whatever is in it
	}
	if parsed.User == nil {
		return text
	}
	return parsed.Redacted()
}

// List is [gtf.Client.List].
func (c *Client) List(ctx context.Context, params *gtf.ListParams) (*gtf.TaskPage, error) {
	query, err := listQueryOf(params)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Count  int     `json:"count"`
		Capped bool    `json:"count_capped"`
		Next   string  `json:"next"`
		Result []*Task `json:"result"`
	}
	if err := c.get(ctx, "/", query, &answer); err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	page := &gtf.TaskPage{Count: answer.Count, Capped: answer.Capped, Next: answer.Next}
	for _, v := range answer.Result {
		page.Tasks = append(page.Tasks, v.Task())
	}
	return page, nil
}

// Get is [gtf.Client.Get].
func (c *Client) Get(ctx context.Context, id gtf.ID) (*gtf.Task, error) {
	v, err := c.View(ctx, id)
	if err != nil {
		return nil, err
	}
	return v.Task(), nil
}

// View is Get with what the server says besides: what the caller may do, and durations by the server's clock.
func (c *Client) View(ctx context.Context, id gtf.ID) (*Task, error) {
	var answer detailAnswer
	if err := c.get(ctx, "/"+id.String(), nil, &answer); err != nil {
		return nil, fmt.Errorf("get task %s: %w", id, err)
	}
	return answer.Result, nil
}

// Status is [gtf.Client.Status].
func (c *Client) Status(ctx context.Context, id gtf.ID) (gtf.Status, error) {
	var answer statusAnswer
	if err := c.get(ctx, "/"+id.String()+"/status", nil, &answer); err != nil {
		return "", fmt.Errorf("get the status of task %s: %w", id, err)
	}
	return answer.Status, nil
}

// Cancel is [gtf.Client.Cancel]. It is sent once: if the connection breaks, it may or may not have been done.
func (c *Client) Cancel(ctx context.Context, id gtf.ID, opts *gtf.CancelOpts) (*gtf.Canceled, error) {
	var o gtf.CancelOpts
	if opts != nil {
		o = *opts
	}
	body, err := json.Marshal(map[string]any{"client": o.Client, "expect": o.Expect, "force": o.Force})
	if err != nil {
		return nil, fmt.Errorf("cancel task %s: %w", id, err)
	}
	var answer cancelAnswer
	if err := c.once(ctx, http.MethodPost, "/"+id.String()+"/cancel", nil, body, &answer); err != nil {
		if now, ok := errors.AsType[*gtf.ExpectError](err); ok {
			now.Expected = o.Expect
		}
		return nil, fmt.Errorf("cancel task %s: %w", id, err)
	}
	did := &gtf.Canceled{Task: answer.Task.Task()}
	for _, effect := range []gtf.CancelEffect{gtf.EffectAbort, gtf.EffectUnsubscribe, gtf.EffectDetach} {
		if effect.Action() == answer.Action {
			did.Effect = effect
		}
	}
	return did, nil
}

// Logs is [gtf.Client.Logs].
func (c *Client) Logs(ctx context.Context, id gtf.ID, after int64, limit int) ([]gtf.LogLine, error) {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var answer logsAnswer
	if err := c.get(ctx, "/"+id.String()+"/logs", query, &answer); err != nil {
		return nil, fmt.Errorf("read the logs of task %s: %w", id, err)
	}
	lines := make([]gtf.LogLine, len(answer.Result))
	for i, each := range answer.Result {
		lines[i] = gtf.LogLine{Seq: each.Seq, At: each.At, Text: each.Text}
		if err := lines[i].Level.UnmarshalText([]byte(each.Level)); err != nil {
			return nil, fmt.Errorf("read the logs of task %s: %w", id, err)
		}
	}
	return lines, nil
}

// Changes is [gtf.Client.Changes], without type, scope and subscribers of the tasks. The server chooses how many it tells at
// once.
func (c *Client) Changes(ctx context.Context, params *gtf.ChangesParams) (*gtf.Changes, error) {
	query := url.Values{}
	if params != nil {
		query["task_type"] = params.Types
		if params.After != "" {
			query.Set("cursor", params.After)
		}
	}
	var answer changesAnswer
	if err := c.get(ctx, "/status_changes", query, &answer); err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	changes := &gtf.Changes{Cursor: answer.Cursor, More: answer.More, Reset: answer.Reset}
	for text, each := range answer.Statuses {
		id, err := gtf.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		changes.Tasks = append(changes.Tasks, gtf.Change{
			ID: id, Status: each.Status, Progress: progressOf(each.Progress, each.Current, each.Total), Version: each.Version,
		})
	}
	return changes, nil
}

// Distinct is [gtf.Client.Distinct] for created_by, subscribers and task_type; other columns are a [*gtf.ValidationError].
func (c *Client) Distinct(ctx context.Context, params *gtf.DistinctParams) ([]gtf.DistinctValue, error) {
	path := map[gtf.FilterColumn]string{
		gtf.FilterCreatedBy: "/related/created_by", gtf.FilterSubscribers: "/related/subscribers", gtf.FilterType: "/distinct/task_type",
	}[params.Column]
	if path == "" {
		return nil, invalid("column", fmt.Sprintf("%.60q is not one whose values the server lists", string(params.Column)))
	}
	var answer valuesAnswer
	if err := c.get(ctx, path, url.Values{"text": {params.Text}}, &answer); err != nil {
		return nil, fmt.Errorf("list values of %s: %w", params.Column, err)
	}
	if params.Limit > 0 && len(answer.Result) > params.Limit {
		answer.Result = answer.Result[:params.Limit]
	}
	values := make([]gtf.DistinctValue, len(answer.Result))
	for i, each := range answer.Result {
		values[i] = gtf.DistinctValue{Value: each.Value, Name: each.Text}
		if params.Column == gtf.FilterType {
			continue
		}
		who, err := ParsePrincipal(each.Value)
		if err != nil {
			return nil, fmt.Errorf("list values of %s: %w", params.Column, err)
		}
		values[i].Value, values[i].Kind = who.ID, who.Kind
	}
	return values, nil
}

// Info tells what the caller may do, and how lists can be filtered.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var info Info
	if err := c.get(ctx, "/_info", nil, &info); err != nil {
		return nil, fmt.Errorf("get what the server offers: %w", err)
	}
	return &info, nil
}

// get reads, and tries again where that may help.
func (c *Client) get(ctx context.Context, path string, query url.Values, answer any) error {
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, http.MethodGet, path, query, nil, answer)
		if attempt >= c.opts.Retries || !errors.Is(err, gtf.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err := pause(ctx, backOff(attempt, retryAfter(err))); err != nil {
			return err
		}
	}
}

const (
	firstPause = 200 * time.Millisecond
	maxPause   = 10 * time.Second
)

// backOff is the pause after an attempt, counted from 0: what the server asks for, or longer each time, with up to a half
// taken off at random.
func backOff(attempt int, asked time.Duration) time.Duration {
	d := firstPause << min(attempt, 10)
	if d = max(d, asked); d > maxPause {
		d = maxPause
	}
	return d - time.Duration(rand.Float64()*float64(d)/2)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// once sends one request, and reads the whole answer.
func (c *Client) once(ctx context.Context, method, path string, query url.Values, body []byte, answer any) error {
	response, err := c.send(ctx, method, path, query, body, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return unreachable(ctx, err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the answer is not that of gtf: %w", err)
	}
	return nil
}

// send sends one request. The response is a success, and its body the caller's to close.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	target := *c.base
	target.Path += tasks + path
	target.RawPath = ""
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, header)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.opts.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	response, err := c.opts.HTTPClient.Do(request)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		defer func() { _ = response.Body.Close() }() // the answer is an error already
		return nil, faultOf(response)
	}
	return response, nil
}
