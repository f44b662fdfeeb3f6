// Package web is what the faces share of HTTP: how an error looks, and what stands between the network and a handler.
package web
