; The axioms "machine" of bytes.acsl, of bit vectors. Each (check-sat) asks for a counterexample: all must be unsat.
(declare-const a (_ BitVec 64))
(declare-const b (_ BitVec 64))
(declare-const x (_ BitVec 16))
(declare-const y (_ BitVec 16))

; mask: a & b is at most each of them
(push)
(assert (or (bvugt (bvand a b) a) (bvugt (bvand a b) b)))
(check-sat)
(pop)

; bit: a & 2 is 0 or 2
(push)
(assert (not (or (= (bvand a #x0000000000000002) #x0000000000000000) (= (bvand a #x0000000000000002) #x0000000000000002))))
(check-sat)
(pop)

; kind: 0x90 & 0xF0 is 0x90
(push)
(assert (not (= (bvand #x0000000000000090 #x00000000000000F0) #x0000000000000090)))
(check-sat)
(pop)

; right: a >> 7 is the whole part of a / 128; with 16 bits more, so that nothing wraps
(push)
(define-fun wide () (_ BitVec 80) ((_ zero_extend 16) a))
(define-fun part () (_ BitVec 80) (bvmul #x00000000000000000080 (bvlshr wide #x00000000000000000007)))
(assert (not (and (bvule part wide) (bvult wide (bvadd part #x00000000000000000080)))))
(check-sat)
(pop)

; wrap: a + b in a size_t of 64 bits, and of 16
(push)
(define-fun sum () (_ BitVec 80) (bvadd ((_ zero_extend 16) a) ((_ zero_extend 16) b)))
(assert (not (= ((_ zero_extend 16) (bvadd a b))
    (bvsub sum (ite (bvule sum #x0000FFFFFFFFFFFFFFFF) #x00000000000000000000 #x00010000000000000000)))))
(check-sat)
(pop)
(push)
(define-fun sum () (_ BitVec 32) (bvadd ((_ zero_extend 16) x) ((_ zero_extend 16) y)))
(assert (not (= ((_ zero_extend 16) (bvadd x y)) (bvsub sum (ite (bvule sum #x0000FFFF) #x00000000 #x00010000)))))
(check-sat)
(pop)
