module github.com/globaltask/gtf

go 1.26.0
