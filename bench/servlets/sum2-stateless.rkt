#lang racket/base
;; Serves sum2-stateless-pages.rkt as serve/servlet sets stateless servlets up, with the default stuffer. Prints its address.
(require web-server/servlet-env "sum2-stateless-pages.rkt")

(serve/servlet start #:port 0 #:listen-ip "127.0.0.1" #:servlet-regexp #rx"" #:servlet-path "/sum2"
               #:stateless? #t #:launch-browser? #f #:quit? #f #:banner? #t)
