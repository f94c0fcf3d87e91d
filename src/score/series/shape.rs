//! Where a metric stands → how far that is from everywhere it stood before.

/// Prototypes kept.
const PROTOTYPES: usize = 64;
/// The value itself and its means over about 2, 4, 8, 16 and 32 points.
const MEANS: usize = 6;
/// How far a prototype follows what it stands for.
const FOLLOWS: f32 = 0.1;

type Shape = [f32; MEANS];

/// The shapes a metric has taken, as at most 64 prototypes: leader clustering (Hartigan, "Clustering Algorithms", 1975)
/// whose radius grows when there are too many leaders.
pub struct Shapes {
    means: [f64; MEANS],
    /// A row for each mean, so that all prototypes are compared at once. Those not in use are infinitely far.
    prototypes: [[f32; PROTOTYPES]; MEANS],
    weights: [f32; PROTOTYPES],
    used: usize,
    radius: f32,
}

impl Shapes {
    pub fn new() -> Shapes {
        Shapes {
            means: [0.0; MEANS],
            prototypes: [[f32::INFINITY; PROTOTYPES]; MEANS],
            weights: [0.0; PROTOTYPES],
            used: 0,
            radius: 1e-6,
        }
    }

    /// The distance of the shape that ends at `spot` (a value in units of the metric's width) to the nearest prototype.
    pub fn observe(&mut self, spot: f64, points: f64) -> f64 {
        // logarithmic, so that one peak does not make all else alike
        let spot = spot.signum() * (0.5 * spot.abs()).ln_1p();
        let mut shape = [0.0; MEANS];
        let mut share = 1.0f64;
        for (new, mean) in shape.iter_mut().zip(&mut self.means) {
            *mean += share.max(1.0 / points) * (spot - *mean);
            *new = *mean as f32;
            share /= 2.0;
        }
        if points < 8.0 {
            return 0.0;
        }
        if self.used == 0 {
            self.put(0, shape);
            self.used = 1;
            return 0.0;
        }
        let (nearest, distance) = self.nearest(&shape);
        if distance <= self.radius {
            self.follow(nearest, &shape);
        } else if self.used < PROTOTYPES {
            self.put(self.used, shape);
            self.used += 1;
        } else {
            self.make_room(shape, distance);
        }
        f64::from(distance)
    }

    fn nearest(&self, shape: &Shape) -> (usize, f32) {
        let squares = self.squares(shape);
        let mut nearest = 0;
        for place in 1..PROTOTYPES {
            if squares[place] < squares[nearest] {
                nearest = place;
            }
        }
        (nearest, squares[nearest].sqrt())
    }

    /// The square of the distance to each prototype.
    fn squares(&self, shape: &Shape) -> [f32; PROTOTYPES] {
        let mut squares = [0.0; PROTOTYPES];
        for (prototypes, new) in self.prototypes.iter().zip(shape) {
            for (square, own) in squares.iter_mut().zip(prototypes) {
                *square += (own - new) * (own - new);
            }
        }
        squares
    }

    fn put(&mut self, place: usize, shape: Shape) {
        self.prototypes.iter_mut().zip(shape).for_each(|(row, new)| row[place] = new);
        self.weights[place] = 1.0;
    }

    fn follow(&mut self, place: usize, shape: &Shape) {
        self.weights[place] += 1.0;
        let rate = FOLLOWS.max(1.0 / self.weights[place]);
        self.prototypes.iter_mut().zip(shape).for_each(|(row, new)| row[place] += rate * (new - row[place]));
    }

    /// The two closest prototypes become one when the new shape is farther from all than they are from each other.
    fn make_room(&mut self, shape: Shape, distance: f32) {
        let (mut kept, mut freed, mut least) = (0, 1, f32::INFINITY);
        for later in 1..PROTOTYPES {
            let own = std::array::from_fn(|mean| self.prototypes[mean][later]);
            let squares = self.squares(&own);
            for (earlier, square) in squares[..later].iter().enumerate() {
                if *square < least {
                    (kept, freed, least) = (earlier, later, *square);
                }
            }
        }
        let apart = least.sqrt();
        self.radius = self.radius.max(apart);
        if distance > apart {
            let (one, other) = (self.weights[kept], self.weights[freed]);
            for row in &mut self.prototypes {
                row[kept] = (row[kept] * one + row[freed] * other) / (one + other);
            }
            self.put(freed, shape);
            self.weights[kept] = one + other;
        }
    }
}
