-- title    = "Principal called from two places that no journey joins in the time between"
-- severity = "medium"
-- tags     = ["attack.initial_access", "attack.t1078.004"]
-- remedy   = "Ask the owner where they were, and whether a VPN is theirs. If it was not them: revoke the sessions and keys, and look at what was called from either place."
-- needs    = "city"
-- dedupe   = "24h"
-- false_positives = "A VPN or a proxy that is switched on or off; one session name that several people or machines have, such as those of CI; a database that puts an address into the wrong country."
-- description = "More than 500 km away from where the same principal was seen up to six hours before, at more than 900 km an hour. Looks at sign-ins, at what changes something, and at GetCallerIdentity. Waits for [reference.city], a database in MaxMind's format with location.latitude and location.longitude, such as GeoLite2-City."
SELECT journey(sightings, 500) AS journey,
       round(journey_km_per_hour(sightings, 500)) AS km_per_hour,
       addresses,
       countries
FROM (SELECT *,
             sample(sighting(eventTime,
                             from_reference(sourceIPAddress, 'city', 'location.latitude'),
                             from_reference(sourceIPAddress, 'city', 'location.longitude'))) OVER before AS sightings,
             sample(sourceIPAddress) OVER before AS addresses,
             sample(from_reference(sourceIPAddress, 'city', 'country.iso_code')) OVER before AS countries
      FROM cloudtrail
      WHERE userIdentity.arn IS NOT NULL
        AND userIdentity.invokedBy IS NULL
        AND (readOnly = false OR eventName = 'GetCallerIdentity')
        -- who was given a signed link has the link, not the credentials
        AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
        AND responseElements ->> 'ConsoleLogin' IS DISTINCT FROM 'Failure'
      WINDOW before AS (PARTITION BY account, userIdentity.arn ORDER BY eventTime
                        RANGE BETWEEN INTERVAL '6 hours' PRECEDING AND CURRENT ROW))
WHERE journey_km_per_hour(sightings, 500) > 900
