module pocketid

go 1.26.0
