package web

import (
	"net/http"

	"pocketid/internal/audit"
)

// auditExport is the filtered log as a file.
func (x *Web) auditExport(w http.ResponseWriter, r *http.Request) error {
	if q := filtersOf(r.URL.Query()); q.Has("who") || q.Has("which") { // the page finds out whom they mean
		return seeOther(w, auditPath+"?"+q.Encode())
	}
	now, words := nowOf(r), x.words(r)
	filter, _ := auditFilterOf(r.URL.Query(), now)
	file := audit.NewFile(r.URL.Query().Get("format"), w, func(n audit.Name) string { return words.T(eventKey(n) + ".title") })
	w.Header().Set("Content-Type", file.Media)
	w.Header().Set("Content-Disposition", `attachment; filename="audit-log-`+now.Format("2006-01-02")+file.Ending+`"`)
	w.Header().Set("Cache-Control", "no-store")
	more, err := x.audit.Export(r.Context(), actor(r), filter, file.Write)
	if err == nil && more {
		err = file.Cut(words.T("audit.export.cut", "n", audit.MaxExport))
	}
	if err != nil {
		return err
	}
	return file.End()
}
