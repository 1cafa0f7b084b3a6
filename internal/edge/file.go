package edge

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"

	"pocketid/internal/fault"
)

// Files come in forms (multipart/form-data) of routes that say so (Route.MaxFile). They are
// held in memory until the request is over: nothing of a stranger touches a disk. So there
// is a bound of how much one request brings, and of how many requests bring something.

var (
	errFileTooLarge = fault.New(fault.TooLarge, "file_too_large")
	errFilesBusy    = fault.New(fault.Unavailable, "files_busy")
)

const (
	// maxParts is how many fields a form with files may have.
	maxParts = 100
	// maxCarrying is how many requests may hold files at once.
	maxCarrying = 4
)

// carrying has a place for each request that holds files.
var carrying = make(chan struct{}, maxCarrying)

// An Upload is a file of a form.
type Upload struct {
	// Name is what its owner calls it. It is shown to nobody but the owner.
	Name string
	// Data is what is in it. What sort of thing that is, only a look at it says.
	Data []byte
}

// maxDropped is how much of a form that is too large is read and dropped. A browser that is
// cut off while it sends shows nothing of the answer.
const maxDropped = 64 << 20

// refuseFile says to somebody who is known that a form is too large, once it has been sent.
func refuseFile(r *http.Request, route *Route) error {
	io.CopyN(io.Discard, r.Body, maxDropped)
	return errFileTooLarge.With("max", megabytes(route.MaxFile)).Because("Content-Length %d", r.ContentLength)
}

// File is the file in a field of the form of r, and whether one was chosen there. Form reads
// the rest of such a form.
func File(r *http.Request, field string) (Upload, bool, error) {
	if _, err := Form(r); err != nil {
		return Upload{}, false, err
	}
	u, ok := stateOf(r.Context()).files[field]
	return u, ok, nil
}

// readParts reads a form with files: those into the state, all else into the values.
func (st *state) readParts(r *http.Request, boundary string) (url.Values, error) {
	if boundary == "" {
		return nil, errBody.Because("the form has no boundary")
	}
	if err := st.carry(r.Context()); err != nil {
		return nil, err
	}
	form, files := url.Values{}, map[string]Upload{}
	left, leftFile := st.maxBody-st.route.MaxFile, st.route.MaxFile
	parts := multipart.NewReader(r.Body, boundary)
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if err == io.EOF { // and not one that wraps it: then the form broke off
			break
		}
		if err != nil {
			return nil, badPart(err)
		}
		if n == maxParts {
			return nil, errBody.Because("more than %d fields", maxParts)
		}
		field, isFile := part.FormName(), part.FileName() != ""
		if _, named := part.Header["Content-Disposition"]; !named || field == "" {
			return nil, errBody.Because("a field has no name")
		}
		bound, tooLarge := &left, errTooLarge
		if isFile {
			bound, tooLarge = &leftFile, errFileTooLarge.At(cut(field, 50)).With("max", megabytes(st.route.MaxFile))
		}
		data, err := io.ReadAll(io.LimitReader(part, *bound+1))
		if err != nil {
			return nil, badPart(err)
		}
		if *bound -= int64(len(data)); *bound < 0 {
			return nil, tooLarge
		}
		switch {
		case isFile && files[field].Name != "":
			return nil, errRepeated.At(cut(field, 50)).With("name", cut(field, 50))
		case isFile:
			files[field] = Upload{part.FileName(), data}
		case part.Header.Get("Content-Type") == "" || len(data) > 0: // not a field of files in which none was chosen
			form[field] = append(form[field], string(data))
		}
	}
	st.files = files
	return form, nil
}

// carry waits for a place among the requests that hold files.
func (st *state) carry(ctx context.Context) error {
	if st.carrying {
		return nil
	}
	select {
	case carrying <- struct{}{}:
		st.carrying = true
		return nil
	case <-ctx.Done():
		return errFilesBusy
	}
}

// dropFiles lets go of what the form brought.
func (st *state) dropFiles() {
	if st.carrying {
		st.files, st.carrying = nil, false
		<-carrying
	}
}

func badPart(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return errBody.Because("read the form: %w", err)
}
